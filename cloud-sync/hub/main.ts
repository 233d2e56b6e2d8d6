/**
 * The local hub as a process of its own:
 *   node cloud-sync/hub/main.ts --folder FOLDER [--host-name localhost] [--hub-name tailstock] [--listen 127.0.0.1]
 *     [--port-mqtt 0] [--port-https 0] [--port-amqp 0] [--port-amqp-plain off] [--port-workload off]
 *     [--workload-socket PATH] [--device ID]… [--device-ca PEM]… [--consumer-group NAME]… [--edition S1] [--units 1]
 *     [--partitions 4] [--allow-faults] [--log-level warn]
 * Ports: a number, 0 for any free one; "off" leaves a server out (not MQTT and HTTPS). Prints one JSON line with its
 * addresses when ready, writes them to hub.json in its folder; ends within 3 s on SIGTERM, SIGINT or when stdin closes.
 */
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { printReady, untilAskedToEnd } from "../../edge/kernel/child.ts";
import { systemClock } from "../../edge/kernel/clock.ts";
import { EdgeError, messageOf } from "../../edge/kernel/errors.ts";
import { createLogger, type LogLevel } from "../../edge/kernel/logging.ts";
import { type LocalHubOptions, startLocalHub } from "./local-hub.ts";
import type { Edition } from "./store/meter.ts";

/** Whatever hangs at the end, the process does not. */
const END_MS_MAX = 3_000;

async function main(): Promise<void> {
  const asked = untilAskedToEnd();
  const { values } = parseArgs({
    options: {
      folder: { type: "string" },
      "host-name": { type: "string", default: "localhost" },
      "hub-name": { type: "string", default: "tailstock" },
      listen: { type: "string", default: "127.0.0.1" },
      "port-mqtt": { type: "string", default: "0" },
      "port-https": { type: "string", default: "0" },
      "port-amqp": { type: "string", default: "0" },
      "port-amqp-plain": { type: "string", default: "off" },
      "port-workload": { type: "string", default: "off" },
      "workload-socket": { type: "string" },
      device: { type: "string", multiple: true, default: [] },
      "consumer-group": { type: "string", multiple: true, default: [] },
      edition: { type: "string" },
      units: { type: "string", default: "1" },
      partitions: { type: "string" },
      "device-ca": { type: "string", multiple: true, default: [] },
      "allow-faults": { type: "boolean", default: false },
      "log-level": { type: "string", default: "warn" },
    },
  });
  if (values.folder === undefined) throw new EdgeError("USAGE", "--folder is missing");
  const socketPath = values["workload-socket"];
  const workloadPort = portOf("port-workload", values["port-workload"]);
  const workload = socketPath !== undefined ? { socketPath } : workloadPort === null ? null : { port: workloadPort };
  const options: LocalHubOptions = {
    folder: values.folder,
    hostName: values["host-name"],
    hubName: values["hub-name"],
    host: values.listen,
    ports: {
      mqtt: portOf("port-mqtt", values["port-mqtt"]) ?? 0,
      https: portOf("port-https", values["port-https"]) ?? 0,
      amqp: portOf("port-amqp", values["port-amqp"]),
      amqpPlain: portOf("port-amqp-plain", values["port-amqp-plain"]),
    },
    workload,
    deviceIds: values.device,
    consumerGroups: values["consumer-group"],
    deviceCaCertificates: values["device-ca"].map((path) => readFileSync(path, "utf8")),
    allowFaults: values["allow-faults"],
    ...(values.edition === undefined ? {} : { limits: editionOf(values.edition, countOf("units", values.units)) }),
    ...(values.partitions === undefined ? {} : { partitions: countOf("partitions", values.partitions) }),
    clock: systemClock,
    logger: createLogger({ level: values["log-level"] as LogLevel, pretty: false, destination: process.stderr }),
  };
  const hub = await startLocalHub(options);
  printReady({ ...hub.addresses });
  await asked;
  setTimeout(() => process.exit(0), END_MS_MAX - 100).unref();
  await hub[Symbol.asyncDispose]();
  process.exit(0);
}

/** @throws EdgeError USAGE */
function portOf(name: string, text: string): number | null {
  if (text === "off") return null;
  const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  if (port <= 65_535) return port;
  throw new EdgeError("USAGE", `--${name} is "${text}", expected a port or off.`);
}

/** @throws EdgeError USAGE */
function editionOf(edition: string, units: number): Edition {
  if (edition === "S1" || edition === "S2" || edition === "S3") return { edition, units };
  throw new EdgeError("USAGE", `--edition is "${edition}", expected S1, S2 or S3.`);
}

/** @throws EdgeError USAGE */
function countOf(name: string, text: string): number {
  if (/^[1-9]\d{0,3}$/.test(text)) return Number(text);
  throw new EdgeError("USAGE", `--${name} is "${text}", expected a number from 1.`);
}

main().catch((error: unknown) => {
  console.error(messageOf(error));
  if (error instanceof EdgeError && error.hint !== undefined) console.error(error.hint);
  process.exit(1);
});
