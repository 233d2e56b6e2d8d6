import { Command } from "commander";
import type { BrowsedNode } from "../../drivers/opcua/opcua-probe.ts";
import { EdgeError } from "../../kernel/errors.ts";
import { severityOf } from "../../kernel/status-code.ts";
import type { Cli } from "../cli.ts";
import { parseCount } from "../duration.ts";
import { parseEndpoint } from "../endpoint.ts";
import { noteWarning, type OpcuaOptions, openProbe, probeOptions, withOpcuaOptions } from "../opcua-options.ts";
import { countText, harmless, valueText } from "../text.ts";

const DEPTH_MAX = 32;
const NODES_MAX = 100_000;

interface BrowseOptions extends OpcuaOptions {
  readonly node?: string;
  readonly depth: string;
  readonly limit: string;
}

export function browseCommand(cli: Cli): Command {
  return withOpcuaOptions(new Command("browse"))
    .description("shows an OPC UA server's address space as a tree, without a configuration")
    .argument("<endpoint>", "opc.tcp://host:port/path")
    .option("--node <id>", "where to begin (default: the Objects folder)")
    .option("--depth <levels>", "how deep", "2")
    .option("--limit <nodes>", "stop after so many nodes", "500")
    .action(async (endpoint: string, options: BrowseOptions) => {
      const address = parseEndpoint(endpoint);
      if (address.protocol !== "opcua") {
        throw new EdgeError("USAGE", "Modbus has no address space to browse", {
          hint: `Read registers instead: tailstock read ${endpoint} holding:0x10`,
        });
      }
      const depth = parseCount(options.depth, { min: 1, max: DEPTH_MAX, what: "a number of levels" });
      const limit = parseCount(options.limit, { min: 1, max: NODES_MAX, what: "a number of nodes" });
      const wanted = probeOptions(cli, options);
      const start = options.node === undefined ? {} : { nodeId: options.node };
      const probe = await openProbe(cli, options);
      const result = await probe.browse(address.endpointUrl, { ...start, depth, limit }, wanted);
      noteWarning(cli, result, options);
      await cli.output.result({ endpoint: address.endpointUrl, ...result }, () => [
        ...treeLines(cli, result.nodes),
        ...(result.truncated ? [`stopped after ${countText(result.nodes.length, "node")}; --limit shows more`] : []),
        ...(result.nodes.length === 0 ? ["nothing below this node"] : []),
      ]);
    });
}

/** The nodes come level by level; a tree shows each below its parent. */
function treeLines(cli: Cli, nodes: readonly BrowsedNode[]): string[] {
  const below = new Map<string | null, BrowsedNode[]>();
  for (const node of nodes) {
    const siblings = below.get(node.parentId);
    if (siblings) siblings.push(node);
    else below.set(node.parentId, [node]);
  }
  const lines: string[] = [];
  const walk = (siblings: readonly BrowsedNode[], prefix: string): void => {
    for (const [index, node] of siblings.entries()) {
      const isLast = index === siblings.length - 1;
      lines.push(`${prefix}${isLast ? "└ " : "├ "}${nodeText(cli, node)}`);
      walk(below.get(node.nodeId) ?? [], `${prefix}${isLast ? "  " : "│ "}`);
    }
  };
  walk(below.get(null) ?? [], "");
  return lines;
}

function nodeText(cli: Cli, node: BrowsedNode): string {
  const name = `${harmless(node.displayName)}  ${harmless(node.nodeId)}`;
  if (node.dataType === null) return name;
  const severity = severityOf(node.statusCode);
  const value = severity === "bad" ? harmless(node.status) : valueText(node.value);
  return `${name}  ${harmless(node.dataType)} = ${cli.output.paint(severity, value)}`;
}
