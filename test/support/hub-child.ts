import { pino } from "pino";
import { hubCertificates } from "../../cloud-sync/hub/certificates.ts";
import { startMqtt } from "../../cloud-sync/hub/mqtt/start-mqtt.ts";
import { openHub } from "../../cloud-sync/hub/open-hub.ts";
import { systemClock } from "../../edge/kernel/clock.ts";

// A hub with its MQTT front as a process of its own, to be killed. Prints its port; devices a, b and c are registered.
const [folder = ""] = process.argv.slice(2);
const { cert, key } = await hubCertificates(folder, "localhost", systemClock);
const logger = pino({ level: "silent" });
const hub = openHub({ folder, hostName: "localhost", hubName: "hub", clock: systemClock, logger });
for (const deviceId of ["a", "b", "c"]) {
  if (hub.registry.get({ deviceId }) === undefined) hub.registry.create({ deviceId }, {});
}
const keys = ["a", "b", "c"].map((deviceId) => hub.registry.get({ deviceId })?.authentication.symmetricKey.primaryKey);
const { port } = await startMqtt(hub, { host: "127.0.0.1", port: 0, key, cert });
process.stdout.write(`${JSON.stringify({ port, keys })}\n`);
