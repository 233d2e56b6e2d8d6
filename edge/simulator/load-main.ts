/**
 * The load server as a child of a benchmark:
 *   node edge/simulator/load-main.ts [--signals 10000] [--interval 1000] [--port 0] [--pki FOLDER]
 * Prints one JSON line {endpointUrl, signals, intervalMs, pid} when ready; ends as edge/simulator/main.ts does.
 */
import { parseArgs } from "node:util";
import { printReady, untilAskedToEnd } from "../kernel/child.ts";
import { messageOf } from "../kernel/errors.ts";
import { keepStdoutClean } from "./child.ts";
import { createLoadServer } from "./load-server.ts";

const END_MS_MAX = 3_000;

async function main(): Promise<void> {
  keepStdoutClean();
  const text = { type: "string" } as const;
  const { values } = parseArgs({ options: { signals: text, interval: text, port: text, pki: text } });
  const signals = Number(values.signals ?? 10_000);
  const intervalMs = Number(values.interval ?? 1_000);
  const server = createLoadServer({
    signals,
    intervalMs,
    port: Number(values.port ?? 0),
    ...(values.pki === undefined ? {} : { pkiPath: values.pki }),
  });
  const asked = untilAskedToEnd();
  await server.start();
  printReady({ endpointUrl: server.endpointUrl, signals, intervalMs, pid: process.pid });
  await asked;
  setTimeout(() => process.exit(0), END_MS_MAX - 100).unref();
  await server.stop();
  process.exit(0);
}

main().catch((error: unknown) => {
  console.error(messageOf(error));
  process.exit(1);
});
