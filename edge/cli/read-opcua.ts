import { severityOf } from "../kernel/status-code.ts";
import type { Cli } from "./cli.ts";
import { noteWarning, type OpcuaOptions, openProbe, probeOptions } from "./opcua-options.ts";
import { tableLines } from "./table.ts";
import { harmless, timeText, valueText } from "./text.ts";

/** Reads nodes of a server and shows value, type, status and the server's times. */
export async function readOpcua(
  cli: Cli,
  endpointUrl: string,
  nodeIds: readonly string[],
  options: OpcuaOptions,
): Promise<void> {
  const wanted = probeOptions(cli, options);
  const result = await (await openProbe(cli, options)).readNodes(endpointUrl, nodeIds, wanted);
  noteWarning(cli, result, options);
  if (result.nodes.some(({ statusCode }) => severityOf(statusCode) === "bad")) cli.problemFound();
  await cli.output.result({ endpoint: endpointUrl, ...result }, () =>
    tableLines(
      [
        { title: "NODE" },
        { title: "NAME" },
        { title: "VALUE", align: "right" },
        { title: "TYPE" },
        { title: "SOURCE TIME" },
        { title: "STATUS" },
      ],
      result.nodes.map((node) => [
        harmless(node.nodeId),
        harmless(node.displayName),
        valueText(node.value),
        harmless(node.dataType ?? ""),
        node.sourceTimestampMs === null ? "–" : timeText(node.sourceTimestampMs),
        cli.output.paint(severityOf(node.statusCode), harmless(node.status)),
      ]),
    ),
  );
}
