import { severityOf, statusName } from "../kernel/status-code.ts";
import type { Cli } from "./cli.ts";
import { type OpcuaOptions, probeOptions, warnInsecure } from "./opcua-options.ts";
import { tableLines } from "./table.ts";
import { harmless, timeText, valueText } from "./text.ts";

/** Reads nodes of a server and shows value, type, status and the server's times. */
export async function readOpcua(
  cli: Cli,
  endpointUrl: string,
  nodeIds: readonly string[],
  options: OpcuaOptions,
): Promise<void> {
  const { readNodes } = await import("../drivers/opcua/probe.ts");
  const result = await readNodes(endpointUrl, nodeIds, probeOptions(cli, options));
  warnInsecure(cli, result.security, options);
  if (result.nodes.some(({ statusCode }) => severityOf(statusCode) === "bad")) cli.problemFound();
  await cli.output.result(
    {
      endpoint: endpointUrl,
      ...result,
      nodes: result.nodes.map((node) => ({ ...node, status: statusName(node.statusCode) })),
    },
    () =>
      tableLines(
        [
          { title: "NODE" },
          { title: "NAME" },
          { title: "VALUE", align: "right" },
          { title: "TYPE" },
          { title: "STATUS" },
          { title: "SOURCE TIME" },
        ],
        result.nodes.map((node) => [
          harmless(node.nodeId),
          harmless(node.displayName ?? ""),
          valueText(node.value),
          harmless(node.dataType ?? ""),
          cli.output.paint(severityOf(node.statusCode), statusName(node.statusCode)),
          node.sourceTimestampMs === null ? "–" : timeText(node.sourceTimestampMs),
        ]),
      ),
  );
}
