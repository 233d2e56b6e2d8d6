import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import device from "azure-iot-device";
import mqtt from "azure-iot-device-mqtt";

// Devices that send as fast as they are acknowledged, each with its window, until the time is over. Prints how many were.
const { values } = parseArgs({
  options: {
    connections: { type: "string" },
    ca: { type: "string" },
    window: { type: "string", default: "64" },
    bytes: { type: "string", default: "4096" },
    seconds: { type: "string", default: "10" },
  },
});
const connections = JSON.parse(values.connections ?? "[]") as string[];
const ca = readFileSync(values.ca ?? "", "utf8");
const body = "x".repeat(Number(values.bytes));
let acknowledged = 0;
const clients = await Promise.all(
  connections.map(async (connection) => {
    const client = device.Client.fromConnectionString(connection, mqtt.Mqtt);
    await client.setOptions({ ca });
    await client.open();
    return client;
  }),
);
const startedMs = performance.now();
const untilMs = startedMs + Number(values.seconds) * 1_000;
await Promise.all(
  clients.flatMap((client) =>
    Array.from({ length: Number(values.window) }, async () => {
      while (performance.now() < untilMs) {
        await client.sendEvent(new device.Message(body));
        acknowledged++;
      }
    }),
  ),
);
const wallMs = performance.now() - startedMs;
await Promise.all(clients.map((client) => client.close()));
process.stdout.write(`${JSON.stringify({ acknowledged, wallMs })}\n`);
process.exit(0);
