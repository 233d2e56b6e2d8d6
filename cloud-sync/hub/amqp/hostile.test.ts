import { connect, type Socket } from "node:net";
import fc from "fast-check";
import rhea from "rhea";
import { expect, onTestFinished, test } from "vitest";
import { systemClock } from "../../../edge/kernel/clock.ts";
import { appendEvents, startAmqpHub } from "../../../test/support/amqp-hub.ts";
import { tempFolder } from "../../../test/support/temp-folder.ts";
import { until } from "../../../test/support/until.ts";
import type { Hub } from "../ports.ts";
import { startAmqp } from "./start-amqp.ts";

const AMQP = Buffer.from([0x41, 0x4d, 0x51, 0x50, 0, 1, 0, 0]);
const OPEN = frame("005310c00901a1067374726f6c6c", 0);
const BEGIN = frame("005311c00704404352705270", 0);

/** A frame of the AMQP type with this performative. */
function frame(performative: string, channel: number): Buffer {
  const body = Buffer.from(performative, "hex");
  const head = Buffer.alloc(8);
  head.writeUInt32BE(body.length + 8, 0);
  head.writeUInt8(2, 4);
  head.writeUInt16BE(channel, 6);
  return Buffer.concat([head, body]);
}

async function offer(port: number, bytes: Buffer): Promise<Socket> {
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => undefined);
  socket.resume();
  onTestFinished(() => void socket.destroy());
  await new Promise<void>((resolve) => socket.write(bytes, () => resolve()));
  return socket;
}

function rawClient(hub: Hub, port: number) {
  const container = rhea.create_container();
  container.on("disconnected", () => undefined);
  const password = hub.access.get("service")?.primaryKey ?? "";
  const connection = container.connect({ host: "127.0.0.1", port, username: "service", password, reconnect: false });
  onTestFinished(() => connection.close());
  return connection;
}

// Goal: whatever comes in by the socket, the hub stays, and others are served.
// Method: random bytes, alone or behind a good beginning; fast-check prints the seed of what it finds.
test("bytes that are not AMQP end their own connection and nothing else", async () => {
  const { hub, front } = await startAmqpHub(tempFolder());
  const port = front.plainPort ?? 0;
  await appendEvents(hub, 1, { partition: 0 });
  const beginnings = fc.constantFrom(
    Buffer.alloc(0),
    AMQP,
    Buffer.from([0x41, 0x4d, 0x51, 0x50, 3, 1, 0, 0]),
    Buffer.concat([AMQP, OPEN]),
    Buffer.concat([AMQP, OPEN, BEGIN]),
  );
  const performatives = fc
    .tuple(fc.integer({ min: 0x10, max: 0x44 }), fc.uint8Array({ maxLength: 60 }))
    .map(([code, rest]) => frame(Buffer.from([0, 0x53, code, ...rest]).toString("hex"), 0));
  const rest = fc.oneof(
    fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
    fc.array(performatives, { maxLength: 4 }).map((frames) => Buffer.concat(frames)),
  );
  await fc.assert(
    fc.asyncProperty(beginnings, rest, async (beginning, tail) => {
      const socket = await offer(port, Buffer.concat([beginning, tail]));
      await new Promise((resolve) => setImmediate(resolve));
      socket.end();
    }),
    { numRuns: 400 },
  );
  await offer(port, Buffer.from("GET / HTTP/1.1\r\nHost: hub\r\n\r\n"));
  let count = 0;
  const receiver = rawClient(hub, port).open_receiver("shop/ConsumerGroups/$Default/Partitions/0");
  receiver.on("message", () => {
    count++;
  });
  await until("the event", () => count === 1);
});

test("a frame that announces more than a message may have ends the connection before it is gathered", async () => {
  const { front } = await startAmqpHub(tempFolder());
  const huge = Buffer.from([0x7f, 0xff, 0xff, 0xff, 2, 0, 0, 0]);
  const socket = await offer(front.plainPort ?? 0, Buffer.concat([AMQP, OPEN, huge, Buffer.alloc(1_000)]));
  await until("it is cut off", () => socket.closed);
});

test.each([
  ["an array of nulls", "f000000009ffffffff40"],
  ["an array of what is cut off unseen", "f000000009ffffffff98"],
  ["a list", "d0000000040fffffff"],
  ["a map", "d1000000040fffffff"],
  ["lists in lists", `${"d000004000000fffff".repeat(2_000)}40`],
])("%s that announces more than its frame holds ends the connection before room is made for it", async (_, value) => {
  const { front } = await startAmqpHub(tempFolder());
  const before = process.memoryUsage();
  // OPEN: container, host, frame size, channels, idle time, locales twice, capabilities twice, properties.
  const fields = `a10174${"40".repeat(8)}${value}`;
  const size = (fields.length / 2 + 4).toString(16).padStart(8, "0");
  const socket = await offer(front.plainPort ?? 0, Buffer.concat([AMQP, frame(`005310d0${size}0000000a${fields}`, 0)]));
  await until("it is cut off", () => socket.closed);
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  expect(heapUsed + arrayBuffers - before.heapUsed - before.arrayBuffers).toBeLessThan(100e6);
});

test.each(["$cbs", "$management", "/messages/devicebound", "shop"])(
  "a message of many frames to %s is cut off when it is larger than one may be",
  async (address) => {
    const { hub, front } = await startAmqpHub(tempFolder());
    const connection = rawClient(hub, front.plainPort ?? 0);
    const sender = connection.open_sender(address);
    await until("credit", () => sender.sendable());
    const disconnected = until("it is cut off", () => !connection.is_open());
    sender.send({ body: rhea.message.data_section(Buffer.alloc(8 * 1024 * 1024)) });
    await disconnected;
    expect([0, 1, 2, 3].map((partition) => hub.events.info(partition).lastSequenceNumber)).toEqual([-1, -1, -1, -1]);
  },
);

test("credit that a client takes back is given back, when there is nothing to send", async () => {
  const { hub, front } = await startAmqpHub(tempFolder());
  await appendEvents(hub, 5, { partition: 0 });
  const receiver = rawClient(hub, front.plainPort ?? 0).open_receiver({
    source: "shop/ConsumerGroups/$Default/Partitions/0",
    credit_window: 0,
  });
  let count = 0;
  let drained = 0;
  receiver.on("message", () => {
    count++;
  });
  receiver.on("receiver_drained", () => {
    drained++;
  });
  receiver.on("receiver_open", () => {
    receiver.add_credit(20);
    receiver.drain_credit();
  });
  await until("five and the rest of the credit", () => count === 5 && drained === 1);
  receiver.drain = false;
  await appendEvents(hub, 5, { partition: 0 });
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(count).toBe(5);
  receiver.add_credit(3);
  await until("three more", () => count === 8);
  receiver.add_credit(9);
  await until("the last two", () => count === 10);
  await new Promise((resolve) => setTimeout(resolve, 50));
  receiver.drain_credit();
  await until("the credit that was left", () => drained === 2);
});

test("a client that ends its session, or just goes, frees the partition that it owned", async () => {
  const { hub, front } = await startAmqpHub(tempFolder());
  await appendEvents(hub, 1, { partition: 0 });
  const own = async (level: number) => {
    const connection = rawClient(hub, front.plainPort ?? 0);
    const session = connection.create_session();
    session.open();
    const receiver = session.open_receiver({
      source: "shop/ConsumerGroups/$Default/Partitions/0",
      properties: { "com.microsoft:epoch": rhea.types.wrap_long(level) },
    });
    const outcome = await new Promise<string>((resolve) => {
      receiver.once("message", () => resolve("let in"));
      receiver.once("receiver_error", () =>
        resolve(String(receiver.error && "condition" in receiver.error && receiver.error.condition)),
      );
    });
    return { connection, session, outcome };
  };
  const nine = await own(9);
  expect([nine.outcome, (await own(8)).outcome]).toEqual(["let in", "amqp:link:stolen"]);
  nine.session.close();
  await new Promise<void>((resolve) => nine.session.once("session_close", () => resolve()));
  const eight = await own(8);
  expect(eight.outcome).toBe("let in");
  (eight.connection as unknown as { socket: Socket }).socket.destroy();
  let seven = await own(7);
  for (let tries = 0; seven.outcome !== "let in" && tries < 50; tries++) seven = await own(7);
  expect(seven.outcome).toBe("let in");
});

test("a link whose terminus is malformed does not keep its place among the consumers", async () => {
  const { hub, front } = await startAmqpHub(tempFolder());
  await appendEvents(hub, 1, { partition: 0 });
  const connection = rawClient(hub, front.plainPort ?? 0);
  const source = "shop/ConsumerGroups/$Default/Partitions/0";
  const { types } = rhea;
  for (let n = 0; n < 5; n++) {
    const bad = connection.open_receiver({ name: `bad-${n}`, source });
    const { attach } = (bad as unknown as { local: { attach: { target: unknown } } }).local;
    attach.target = types.wrap_described(5, 0x29);
    await new Promise<void>((resolve) => bad.once("receiver_error", () => resolve()));
  }
  const good = connection.open_receiver({ name: "good", source });
  await new Promise<void>((resolve, reject) => {
    good.once("message", () => resolve());
    good.once("receiver_error", () => reject(good.error));
  });
});

test("the next event to come is a position, also in an empty partition; one behind it is none", async () => {
  const { hub, front } = await startAmqpHub(tempFolder());
  const connection = rawClient(hub, front.plainPort ?? 0);
  const from = (selector: string) =>
    connection.open_receiver({
      name: selector,
      source: {
        address: "shop/ConsumerGroups/$Default/Partitions/0",
        filter: { "apache.org:selector-filter:string": rhea.types.wrap_described(selector, 0x468c00000004) },
      },
    } as unknown as Parameters<typeof connection.open_receiver>[0]);
  const first = from("amqp.annotation.x-opt-sequence-number >= '0'");
  await new Promise<void>((resolve) => first.once("receiver_open", () => resolve()));
  const behind = from("amqp.annotation.x-opt-sequence-number > '0'");
  await new Promise<void>((resolve) => behind.once("receiver_error", () => resolve()));
  expect(behind.error).toMatchObject({ condition: "com.microsoft:argument-out-of-range" });
  const message = new Promise<void>((resolve) => first.once("message", () => resolve()));
  await appendEvents(hub, 1, { partition: 0 });
  await message;
});

test("a client that shows no token is sent away after a minute, also when it never says anything", async () => {
  const clock = { ...systemClock, offsetMs: 0, monotonicMs: () => performance.now() + clock.offsetMs };
  const { hub } = await startAmqpHub(tempFolder());
  const front = await startAmqp({ ...hub, clock }, { host: "127.0.0.1", plain: { port: 0 } });
  onTestFinished(() => front.close());
  const port = front.plainPort ?? 0;
  const proved = rawClient(hub, port);
  await new Promise<void>((resolve) => proved.once("connection_open", () => resolve()));
  const silent = await offer(port, Buffer.alloc(0));
  const talking = await offer(port, Buffer.concat([AMQP, OPEN, BEGIN]));
  await new Promise((resolve) => setTimeout(resolve, 1_200));
  expect([silent.closed, talking.closed]).toEqual([false, false]);
  clock.offsetMs = 61_000;
  await until("both are cut off", () => silent.closed && talking.closed);
  expect(proved.is_open()).toBe(true);
});

test("what is neither ours nor for this side is refused by name", async () => {
  const { hub, front } = await startAmqpHub(tempFolder());
  const connection = rawClient(hub, front.plainPort ?? 0);
  const refusal = async (
    link: { once(event: string, listener: () => void): unknown; error?: unknown },
    event: string,
  ) => {
    await new Promise<void>((resolve) => link.once(event, resolve));
    return link.error;
  };
  expect(await refusal(connection.open_receiver("devices/mill-7"), "receiver_error")).toMatchObject({
    condition: "amqp:not-found",
  });
  expect(await refusal(connection.open_receiver("shop"), "receiver_error")).toMatchObject({
    condition: "amqp:not-allowed",
    description: "nothing can be received from 'shop'",
  });
  expect(await refusal(connection.open_sender("messages/serviceBound/feedback"), "sender_error")).toMatchObject({
    condition: "amqp:not-allowed",
  });
});
