import { Command } from "commander";
import { EdgeError } from "../../kernel/errors.ts";
import { severityOf, statusName } from "../../kernel/status-code.ts";
import type { Cli } from "../cli.ts";
import { parseCount } from "../duration.ts";
import { parseEndpoint } from "../endpoint.ts";
import { type OpcuaOptions, probeOptions, warnInsecure, withOpcuaOptions } from "../opcua-options.ts";
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
      const { browse } = await import("../../drivers/opcua/probe.ts");
      const start = options.node === undefined ? {} : { nodeId: options.node };
      const result = await browse(address.endpointUrl, { ...start, depth, limit }, probeOptions(cli, options));
      warnInsecure(cli, result.security, options);
      await cli.output.result({ endpoint, ...result }, () => [
        ...result.nodes.map((node) => {
          const indent = "  ".repeat(node.depth);
          const type = node.dataType === null ? "" : `  ${node.dataType}`;
          const value = node.nodeClass === "Variable" ? nodeValue(cli, node) : "";
          return `${indent}${harmless(node.displayName)}  ${harmless(node.nodeId)}${type}${value}`;
        }),
        ...(result.truncated ? [`stopped after ${countText(result.nodes.length, "node")}; --limit shows more`] : []),
      ]);
    });
}

function nodeValue(cli: Cli, node: { value: Parameters<typeof valueText>[0]; statusCode: number | null }): string {
  if (node.statusCode === null) return "";
  const severity = severityOf(node.statusCode);
  return `  = ${cli.output.paint(severity, severity === "bad" ? statusName(node.statusCode) : valueText(node.value))}`;
}
