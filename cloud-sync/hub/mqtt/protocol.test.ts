import { generate } from "mqtt-packet";
import { describe, expect, test } from "vitest";
import { ManualClock } from "../../../test/support/manual-clock.ts";
import { connectPacket, type RawMqtt, rawDevice, rawMqtt } from "../../../test/support/raw-mqtt.ts";
import { eventsOf, type RunningHub, runHub } from "../../../test/support/running-hub.ts";
import { until } from "../../../test/support/until.ts";

const deviceId = "lathe-1";
const EVENTS = `devices/${deviceId}/messages/events/`;
const COMMANDS = `devices/${deviceId}/messages/devicebound/#`;

async function enqueue({ hub }: RunningHub, body: string, expiresMs?: number): Promise<void> {
  const command = {
    deviceId,
    body: Buffer.from(body),
    properties: {},
    system: { messageId: body },
    ack: "full" as const,
  };
  await hub.commands.enqueue({ ...command, ...(expiresMs === undefined ? {} : { expiresMs }) });
}

async function subscribe(client: RawMqtt, topic: string, qos: 0 | 1 | 2): Promise<unknown> {
  client.send({ cmd: "subscribe", messageId: 77, subscriptions: [{ topic, qos }] });
  return (await client.next("suback")).granted;
}

describe("what IoT Hub closes a connection for", () => {
  test.each<[string, (client: RawMqtt) => void]>([
    ["QoS 2", (client) => client.publish(EVENTS, "x", { qos: 2, messageId: 1 })],
    ["another device's topic", (client) => client.publish("devices/other/messages/events/", "x", { messageId: 1 })],
    ["a topic of nobody", (client) => client.publish("factory/hall", "x")],
    ["properties that are not URL-encoded", (client) => client.publish(`${EVENTS}a=%zz`, "x")],
    [
      "a subscription to everything",
      (client) => client.send({ cmd: "subscribe", messageId: 1, subscriptions: [{ topic: "#", qos: 0 }] }),
    ],
    ["a body too large", (client) => client.publish(EVENTS, Buffer.alloc((256 << 10) + 1), { messageId: 1 })],
    [
      "a body that only fits without its properties",
      (client) => client.publish(`${EVENTS}a=${"b".repeat(50)}`, Buffer.alloc((256 << 10) - 50), { messageId: 1 }),
    ],
    ["a packet larger than any", (client) => client.stream.write(Buffer.of(0x30, 0xff, 0xff, 0xff, 0x7f, 0))],
    ["a length without end", (client) => client.stream.write(Buffer.of(0x30, 0xff, 0xff, 0xff, 0xff, 0xff))],
    ["noise", (client) => client.stream.write(Buffer.alloc(100, 0xf7))],
    [
      "a second CONNECT",
      (client) =>
        client.send({
          cmd: "connect",
          protocolId: "MQTT",
          protocolVersion: 4,
          clean: true,
          clientId: "x",
          keepalive: 1,
        }),
    ],
  ])("%s", async (_, act) => {
    const running = await runHub();
    const neighbour = await rawDevice(running, "neighbour");
    const client = await rawDevice(running, deviceId);
    act(client);
    await client.closed();
    expect(client.packets).toEqual([]);
    expect(eventsOf(running.hub)).toEqual([]);
    neighbour.send({ cmd: "pingreq" });
    await neighbour.next("pingresp");
  });

  test("a first packet that is not CONNECT, a silent one, and one that is silent later", async () => {
    const clock = new ManualClock();
    const running = await runHub({ clock });
    const rude = await rawMqtt(running);
    rude.send({ cmd: "pingreq" });
    await rude.closed();
    const silent = await rawMqtt(running);
    const client = await rawDevice(running, deviceId, { keepalive: 60 });
    await clock.advance(25_000);
    await silent.closed();
    await clock.advance(60_000);
    client.send({ cmd: "pingreq" });
    await client.next("pingresp");
    await clock.advance(89_000);
    expect(client.isClosed).toBe(false);
    await clock.advance(2_000);
    await client.closed();
  });
});

test("a message of exactly 256 KB with its properties is taken; retained is said, a duplicate is another event", async () => {
  const running = await runHub();
  const client = await rawDevice(running, deviceId);
  client.publish(`${EVENTS}a=bc`, Buffer.alloc((256 << 10) - 3), { messageId: 1 });
  client.publish(EVENTS, "again", { messageId: 2, dup: true, retain: true });
  client.publish(EVENTS, "unacknowledged");
  client.publish(EVENTS, "", { messageId: 3 });
  for (const messageId of [1, 2, 3]) expect((await client.next("puback")).messageId).toBe(messageId);
  const events = eventsOf(running.hub);
  expect(events.map(({ body }) => body.length)).toEqual([(256 << 10) - 3, 5, 14, 0]);
  expect(events[1]?.properties).toEqual({ "mqtt-retain": "true" });
});

test("the newest connection of an identity wins; what the older had not acknowledged goes to it", async () => {
  const running = await runHub();
  const older = await rawDevice(running, deviceId);
  await subscribe(older, COMMANDS, 1);
  await enqueue(running, "one");
  expect((await older.next("publish")).payload.toString()).toBe("one");
  const newer = await rawDevice(running, deviceId);
  await older.closed();
  expect(await subscribe(newer, COMMANDS, 2)).toEqual([1]);
  const delivered = await newer.next("publish");
  expect(delivered).toMatchObject({ qos: 1, dup: true });
  newer.send({ cmd: "puback", messageId: delivered.messageId ?? 0 });
  await until("completed", () => running.hub.registry.get({ deviceId })?.cloudToDeviceMessageCount === 0);
  expect(running.hub.commands.feedback(9)).toMatchObject([{ record: { description: "Success" } }]);
});

test("what a closed connection still sends is not taken", async () => {
  const running = await runHub();
  const client = await rawDevice(running, deviceId);
  for (let n = 1; n <= 50; n++) client.publish(EVENTS, Buffer.alloc(1_000), { messageId: n });
  running.hub.registry.update({ deviceId }, { status: "disabled" });
  await client.closed();
  const stored = eventsOf(running.hub).length;
  expect(client.packets.length).toBeLessThanOrEqual(stored);
  client.publish(EVENTS, "late", { messageId: 60 });
  const neighbour = await rawDevice(running, "neighbour");
  neighbour.publish("devices/neighbour/messages/events/", "x", { messageId: 1 });
  await neighbour.next("puback");
  expect(eventsOf(running.hub)).toHaveLength(stored + 1);
});

test("a session that lasts keeps its subscriptions and what was not acknowledged; a clean one forgets", async () => {
  const first = await runHub();
  const client = await rawDevice(first, deviceId, { clean: false });
  await subscribe(client, COMMANDS, 1);
  await enqueue(first, "kept");
  await client.next("publish");
  await first.stop();
  const second = await runHub({ folder: first.folder });
  const again = await rawMqtt(second);
  const connect = connectPacket(second.hub, { deviceId }, { clean: false });
  expect(await again.connect(connect)).toEqual({ returnCode: 0, sessionPresent: true });
  expect((await again.next("publish")).payload.toString()).toBe("kept");
  const clean = await rawMqtt(second);
  expect(await clean.connect({ ...connect, clean: true })).toMatchObject({ sessionPresent: false });
  const last = await rawMqtt(second);
  expect(await last.connect(connect)).toMatchObject({ sessionPresent: false });
});

test("at QoS 0 a command is completed by being sent; one that has expired is not sent, and its sender is told", async () => {
  const clock = new ManualClock();
  const running = await runHub({ clock });
  const client = await rawDevice(running, deviceId);
  await enqueue(running, "late", clock.nowMs() + 5_000);
  await enqueue(running, "in time", clock.nowMs() + 50_000);
  await clock.advance(6_000);
  await subscribe(client, COMMANDS, 0);
  expect((await client.next("publish")).payload.toString()).toBe("in time");
  const outcomes = running.hub.commands.feedback(9).map(({ record }) => [record.originalMessageId, record.description]);
  expect(outcomes).toEqual([
    ["late", "Expired"],
    ["in time", "Success"],
  ]);
});

test("a command that the disk keeps but does not lock is enqueued; its device comes again for it", async () => {
  const running = await runHub();
  const { commands } = running.hub;
  const client = await rawDevice(running, deviceId);
  await subscribe(client, COMMANDS, 1);
  const lock = commands.lock.bind(commands);
  commands.lock = () => {
    throw new Error("database or disk is full");
  };
  await enqueue(running, "kept");
  await client.closed();
  commands.lock = lock;
  const again = await rawDevice(running, deviceId);
  await subscribe(again, COMMANDS, 1);
  expect((await again.next("publish")).payload.toString()).toBe("kept");
});

test("a will is an event when the client goes without a word, and nothing when it says goodbye", async () => {
  const running = await runHub();
  const will = { topic: `${EVENTS}why=gone`, payload: Buffer.from("will"), qos: 1 as const, retain: false };
  const polite = await rawDevice(running, deviceId, { will });
  polite.send({ cmd: "disconnect" });
  await polite.closed();
  const rude = await rawDevice(running, deviceId, { will });
  rude.stream.destroy();
  await until("the will", () => eventsOf(running.hub).length === 1);
  expect(eventsOf(running.hub)[0]?.properties).toEqual({ why: "gone", "iothub-MessageType": "Will" });
});

test("who sends faster than its edition allows is slowed in order, then dropped; the day's quota ends it", async () => {
  const clock = new ManualClock();
  const running = await runHub({ clock, limits: { edition: "S1", units: 1 } });
  const client = await rawDevice(running, deviceId);
  for (let n = 1; n <= 150; n++) client.publish(EVENTS, `${n}`, { messageId: n });
  await until("the burst", () => eventsOf(running.hub).length === 100);
  await clock.advance(300);
  await until("thirty more", () => eventsOf(running.hub).length >= 130);
  await clock.advance(5_000);
  await until("all", () => eventsOf(running.hub).length === 150);
  expect(eventsOf(running.hub).map(({ body }) => Number(body))).toEqual(Array.from({ length: 150 }, (_, i) => i + 1));
  expect(running.hub.meter.admit({ deviceId }, 4_096 * 399_800)).toEqual({ verdict: "now" });
  const late = await rawDevice(running, deviceId);
  late.publish(EVENTS, Buffer.alloc(250_000), { messageId: 1 });
  for (let n = 2; n <= 30; n++) late.publish(EVENTS, Buffer.alloc(250_000), { messageId: n });
  await late.closed();
  // Another day.
  clock.jumpWall(86_400_000);
  expect(running.hub.meter.admit({ deviceId }, 1).verdict).toBe("now");
});

test("a client that the hub itself holds up is not taken for a silent one", async () => {
  const clock = new ManualClock();
  const running = await runHub({ clock, limits: { edition: "S1", units: 1 } });
  const client = await rawDevice(running, deviceId, { keepalive: 1 });
  for (let n = 0; n < 500; n++) running.hub.meter.admit({ deviceId: "others" }, 1);
  client.publish(EVENTS, "late", { messageId: 1 });
  await until("it is here", () => running.hub.meter.today().messages === 501);
  for (let n = 0; n < 5; n++) await clock.advance(1_000);
  expect((await client.next("puback")).messageId).toBe(1);
  expect(client.isClosed).toBe(false);
  await clock.advance(2_000);
  await client.closed();
});

test("who sends more than is taken is held back by its own socket, and nobody else by it", async () => {
  const clock = new ManualClock();
  const running = await runHub({ clock, limits: { edition: "S1", units: 1 } });
  const client = await rawDevice(running, deviceId);
  const sentBytes = 60 << 20;
  for (let n = 1; n <= 300; n++) client.publish(EVENTS, Buffer.alloc(sentBytes / 300), { messageId: n });
  await until("what is allowed now", () => eventsOf(running.hub).length === 100);
  const neighbour = await rawDevice(running, "neighbour");
  // 20 MB were taken; of the rest the kernel holds some, the hub one packet, the sender all else.
  expect(client.stream.writableLength).toBeGreaterThan(20 << 20);
  neighbour.send({ cmd: "pingreq" });
  await neighbour.next("pingresp");
});

test("who reports without end gives the others their turn", async () => {
  const running = await runHub();
  const neighbour = await rawDevice(running, "neighbour");
  const client = await rawDevice(running, deviceId);
  await subscribe(client, "$iothub/twin/res/#", 0);
  const patches = Array.from({ length: 2_000 }, (_, n) => {
    const topic = `$iothub/twin/PATCH/properties/reported/?$rid=${n}`;
    return generate({ cmd: "publish", topic, payload: `{"n":${n}}`, qos: 0, dup: false, retain: false });
  });
  client.stream.write(Buffer.concat(patches));
  const done = (): number => running.hub.twins.get({ deviceId }).reported.version;
  while (done() <= 20) await new Promise(setImmediate);
  const began = done();
  const answered = new Promise<number>((resolve) => neighbour.stream.once("data", () => resolve(done())));
  neighbour.send({ cmd: "pingreq" });
  expect(began).toBeLessThan(100);
  expect((await answered) - began).toBeLessThan(100);
  await until("all", () => done() === 2_001);
});

test("a client that does not read what it is sent does not fill the hub's memory", async () => {
  const running = await runHub();
  const client = await rawDevice(running, deviceId);
  client.stream.pause();
  await subscribePaused(client);
  const desired = { text: Object.fromEntries(Array.from({ length: 8 }, (_, i) => [`k${i}`, "x".repeat(3_900)])) };
  for (let n = 0; n < 2_000 && running.hub.links.get({ deviceId }) !== undefined; n++) {
    running.hub.twins.write({ deviceId }, { desired: { ...desired, n } }, "patch");
    if (n % 16 === 0) await new Promise(setImmediate);
  }
  expect(running.hub.links.get({ deviceId })).toBeUndefined();
});

test("a fault that a test orders cuts the connection, if the hub was told to allow that", async () => {
  const running = await runHub({ mqtt: { allowFaults: true } });
  const client = await rawDevice(running, deviceId);
  const properties = "AzIoTHub_FaultOperationType=KillTcp&AzIoTHub_FaultOperationDelayInSecs=0.05";
  client.publish(EVENTS + properties, "", { messageId: 5 });
  expect((await client.next("puback")).messageId).toBe(5);
  await client.closed();
  expect(eventsOf(running.hub)).toEqual([]);
});

async function subscribePaused(client: RawMqtt): Promise<void> {
  const topic = "$iothub/twin/PATCH/properties/desired/#";
  client.send({ cmd: "subscribe", messageId: 1, subscriptions: [{ topic, qos: 0 }] });
  await new Promise((resolve) => setTimeout(resolve, 100));
}
