import { Client, ModuleClient } from "azure-iot-device";
import { Mqtt } from "azure-iot-device-mqtt";
import { pino } from "pino";
import { onTestFinished } from "vitest";
import { hubCertificates } from "../../cloud-sync/hub/certificates.ts";
import { type MqttFront, type MqttOptions, startMqtt } from "../../cloud-sync/hub/mqtt/start-mqtt.ts";
import { type HubOptions, openHub } from "../../cloud-sync/hub/open-hub.ts";
import type { Hub, HubEvent, Identity } from "../../cloud-sync/hub/ports.ts";
import { systemClock } from "../../edge/kernel/clock.ts";
import { tempFolder } from "./temp-folder.ts";

export const HOST = "localhost";

export interface RunningHub {
  readonly hub: Hub & AsyncDisposable;
  readonly mqtt: MqttFront;
  readonly folder: string;
  readonly ca: string;
  stop(): Promise<void>;
}

/** A hub with its MQTT front on a free port; stopped when the test ends. */
export async function runHub(
  options: Partial<Omit<HubOptions, "logger">> & { mqtt?: Partial<MqttOptions> } = {},
): Promise<RunningHub> {
  const folder = options.folder ?? tempFolder();
  const clock = options.clock ?? systemClock;
  const { mqtt: mqttOptions, ...hubOptions } = options;
  const { ca, cert, key } = await hubCertificates(folder, HOST, systemClock);
  const logger = pino({ level: process.env.TAILSTOCK_TEST_LOG ?? "silent" });
  const hub = openHub({ hostName: HOST, hubName: "hub", ...hubOptions, folder, clock, logger });
  const mqtt = await startMqtt(hub, { host: "127.0.0.1", port: 0, key, cert, ...mqttOptions });
  let stopped: Promise<void> | undefined;
  const stop = (): Promise<void> => {
    stopped ??= mqtt.close().then(() => hub[Symbol.asyncDispose]());
    return stopped;
  };
  onTestFinished(stop);
  return { hub, mqtt, folder, ca, stop };
}

/** As the SDK wants it; the hub's own host name stands in tokens, the gateway's name leads to its port. */
export function connectionString({ hub, mqtt }: RunningHub, { deviceId, moduleId }: Identity, key?: string): string {
  const entry = hub.registry.get({ deviceId, ...(moduleId === undefined ? {} : { moduleId }) });
  const secret = key ?? entry?.authentication.symmetricKey.primaryKey ?? "";
  const module = moduleId === undefined ? "" : `;ModuleId=${moduleId}`;
  return `HostName=${HOST};DeviceId=${deviceId}${module};SharedAccessKey=${secret};GatewayHostName=${HOST}:${mqtt.port}`;
}

/** Registers the device unless it is there, and connects it with the real SDK; closed when the test ends. */
export async function connectDevice(running: RunningHub, deviceId: string): Promise<Client> {
  if (running.hub.registry.get({ deviceId }) === undefined) running.hub.registry.create({ deviceId }, {});
  const client = Client.fromConnectionString(connectionString(running, { deviceId }), Mqtt);
  await opened(client, running.ca);
  return client;
}

export async function connectModule(running: RunningHub, deviceId: string, moduleId: string): Promise<ModuleClient> {
  const identity = { deviceId, moduleId };
  if (running.hub.registry.get({ deviceId }) === undefined) running.hub.registry.create({ deviceId }, {});
  if (running.hub.registry.get(identity) === undefined) running.hub.registry.create(identity, {});
  const client = ModuleClient.fromConnectionString(connectionString(running, identity), Mqtt);
  await opened(client, running.ca);
  return client;
}

/** Every event that is kept, partition by partition. */
export function eventsOf(hub: Hub): HubEvent[] {
  return Array.from({ length: hub.events.partitions }, (_, partition) => {
    const { firstSequenceNumber } = hub.events.info(partition);
    return hub.events.read(partition, firstSequenceNumber, { events: 1e6, bytes: 1e9 });
  }).flat();
}

async function opened(client: Client | ModuleClient, ca: string): Promise<void> {
  // Without a listener the SDK's "error" would end the test's process.
  client.on("error", () => undefined);
  onTestFinished(async () => {
    await client.close().catch(() => undefined);
  });
  await client.setOptions({ ca });
  await client.open();
}
