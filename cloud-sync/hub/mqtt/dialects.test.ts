import { expect, test } from "vitest";
import { connectPacket, rawDevice, rawMqtt } from "../../../test/support/raw-mqtt.ts";
import { eventsOf, HOST, runHub } from "../../../test/support/running-hub.ts";
import { until } from "../../../test/support/until.ts";
import type { Authentication, RegistryWrite } from "../ports.ts";

const deviceId = "mill:7?a='b'(1)$";
const raw = `devices/${deviceId}`;
const encoded = "devices/mill%3A7%3Fa%3D%27b%27%281%29%24";

test.each([raw, encoded, `devices/${encodeURIComponent(deviceId)}`])(
  "ids in topics are taken as %s, and used as the client does",
  async (base) => {
    const running = await runHub();
    const client = await rawDevice(running, deviceId);
    client.publish(`${base}/messages/events/constructor=1&%24.mid=7`, "x", { messageId: 1 });
    await client.next("puback");
    expect(eventsOf(running.hub)[0]).toMatchObject({ properties: { constructor: "1" }, system: { messageId: "7" } });
    const topic = `${base}/messages/devicebound/#`;
    client.send({ cmd: "subscribe", messageId: 2, subscriptions: [{ topic, qos: 1 }] });
    await client.next("suback");
    await running.hub.commands.enqueue({ deviceId, body: Buffer.from("c"), properties: {}, system: {}, ack: "none" });
    expect((await client.next("publish")).topic.startsWith(`${base}/messages/devicebound/`)).toBe(true);
  },
);

test.each([
  ["?api-version=2021-04-12", "mill", undefined],
  ["/?api-version=2019-10-01&DeviceClientType=py-iothub%2F2.12", "mill", undefined],
  ["/api-version=2016-11-14/", "mill", undefined],
  ["/api-version=2016-11-14&DeviceClientType=iothubclient", "mill", undefined],
  ["/?model-id=dtmi:com:example;1&api-version=2020-09-30", "mill", undefined],
  ["", "mill", undefined],
  ["/", "mill", undefined],
  ["/?api-version=2018-06-30", "a?b=c", undefined],
  ["/?api-version=2018-06-30", "mill", "x=y"],
  ["/api-version=2018-06-30", "mill", "m"],
])("a user name that ends with '%s' is of %s/%s", async (end, id, moduleId) => {
  const running = await runHub();
  running.hub.registry.create({ deviceId: id }, {});
  const identity = { deviceId: id, ...(moduleId === undefined ? {} : { moduleId }) };
  if (moduleId !== undefined) running.hub.registry.create(identity, {});
  const client = await rawMqtt(running);
  const packet = connectPacket(running.hub, identity);
  const answer = await client.connect({ ...packet, username: `${HOST}/${packet.clientId}${end}` });
  expect(answer.returnCode).toBe(0);
  expect(running.hub.links.get(identity)).toBeDefined();
});

test("who reports without listening to answers is taken at its word, and gets none", async () => {
  const running = await runHub();
  const client = await rawDevice(running, "mill");
  client.publish("$iothub/twin/PATCH/properties/reported/?$rid=1", '{"a":1}', { messageId: 1 });
  client.publish("$iothub/twin/GET/?$rid=2", "", { messageId: 2 });
  await client.next("puback");
  await client.next("puback");
  expect(running.hub.twins.get({ deviceId: "mill" }).reported.values).toEqual({ a: 1 });
  client.send({ cmd: "pingreq" });
  await client.next("pingresp");
  expect(client.packets).toEqual([]);
});

test("what a twin is told comes at the granted QoS, its ids not those of commands", async () => {
  const running = await runHub();
  const client = await rawDevice(running, "mill");
  const subscriptions = ["$iothub/twin/PATCH/properties/desired/#", "devices/mill/messages/devicebound/#"].map(
    (topic) => ({ topic, qos: 1 as const }),
  );
  client.send({ cmd: "subscribe", messageId: 1, subscriptions });
  await client.next("suback");
  await running.hub.commands.enqueue({
    deviceId: "mill",
    body: Buffer.from("c"),
    properties: {},
    system: {},
    ack: "none",
  });
  const command = await client.next("publish");
  running.hub.twins.write({ deviceId: "mill" }, { desired: { a: 1 } }, "patch");
  const told = await client.next("publish");
  expect(told).toMatchObject({ qos: 1, topic: "$iothub/twin/PATCH/properties/desired/?$version=2" });
  expect(told.messageId).not.toBe(command.messageId);
  client.send({ cmd: "puback", messageId: told.messageId ?? 0 });
  client.send({ cmd: "puback", messageId: command.messageId ?? 0 });
  await until("completed", () => running.hub.registry.get({ deviceId: "mill" })?.cloudToDeviceMessageCount === 0);
  // A client that acknowledges nothing is told on.
  for (let n = 0; n < 100; n++) running.hub.twins.write({ deviceId: "mill" }, { desired: { n } }, "patch");
  const levels: number[] = [];
  for (let n = 0; n < 100; n++) levels.push((await client.next("publish")).qos);
  expect(levels.filter((qos) => qos === 1)).toHaveLength(64);
});

test("a key that is changed cuts off who came in by it, and nobody else", async () => {
  const running = await runHub();
  const { registry } = running.hub;
  const key = (fill: number): string => Buffer.alloc(32, fill).toString("base64");
  const withKeys = (primaryKey: string, secondaryKey: string): RegistryWrite => ({
    authentication: {
      type: "sas",
      symmetricKey: { primaryKey, secondaryKey },
      x509Thumbprint: { primaryThumbprint: null, secondaryThumbprint: null },
    } satisfies Authentication,
  });
  registry.create({ deviceId: "mill" }, withKeys(key(1), key(2)));
  registry.create({ deviceId: "mill", moduleId: "m" }, {});
  const [device, module] = [await rawMqtt(running), await rawMqtt(running)];
  const packet = connectPacket(running.hub, { deviceId: "mill" });
  expect((await device.connect(packet)).returnCode).toBe(0);
  expect((await module.connect(connectPacket(running.hub, { deviceId: "mill", moduleId: "m" }))).returnCode).toBe(0);
  // The other key, and the two in each other's place: it still proves itself.
  registry.update({ deviceId: "mill" }, withKeys(key(3), key(1)));
  device.send({ cmd: "pingreq" });
  await device.next("pingresp");
  registry.update({ deviceId: "mill" }, withKeys(key(3), key(4)));
  await device.closed();
  const again = await rawMqtt(running);
  expect((await again.connect(packet)).returnCode).toBe(5);
  module.send({ cmd: "pingreq" });
  await module.next("pingresp");
});
