import { createServer } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import tls from "node:tls";
import { EventHubConsumerClient, earliestEventPosition } from "@azure/event-hubs";
import rhea from "rhea";
import { expect, onTestFinished, test } from "vitest";
import { WebSocket } from "ws";
import { systemClock } from "../../../edge/kernel/clock.ts";
import { appendEvents, collect, IMPATIENT, startAmqpHub, withEvents } from "../../../test/support/amqp-hub.ts";
import { tempFolder } from "../../../test/support/temp-folder.ts";
import { until } from "../../../test/support/until.ts";
import { hubCertificates } from "../certificates.ts";
import type { Hub } from "../ports.ts";
import { startAmqp } from "./start-amqp.ts";

const BIG_BYTES = 200_000;
const BIG_EVENTS = 200;

/** A client without flow control of its own, whose socket can be stopped. */
function bareReceiver(hub: Hub, port: number, address: string, credit: number, options: object = {}) {
  const container = rhea.create_container();
  const numbers: number[] = [];
  container.on("message", ({ message }) => numbers.push(message?.message_annotations?.["x-opt-sequence-number"]));
  container.on("disconnected", () => undefined);
  const password = hub.access.get("service")?.primaryKey ?? "";
  const common = { host: "127.0.0.1", port, username: "service", password, reconnect: false };
  const connection = container.connect({ ...common, ...options });
  onTestFinished(() => connection.close());
  const receiver = connection.open_receiver({ source: address, credit_window: 0 });
  receiver.on("receiver_open", () => receiver.add_credit(credit));
  const socket = (connection as unknown as { socket: Socket }).socket;
  return { numbers, receiver, socket };
}

/** The same hub, and how many events were read of each partition: what was not read fills no memory. */
function counted(hub: Hub): { counting: Hub; readOf: number[] } {
  const readOf = [0, 0, 0, 0];
  const counting = withEvents(hub, {
    read(partition, from, limit) {
      const read = hub.events.read(partition, from, limit);
      readOf[partition] = (readOf[partition] ?? 0) + read.length;
      return read;
    },
  });
  return { counting, readOf };
}

test("P23 for a consumer that reads slowly no more is taken from the log than its socket holds, and no other one waits", async () => {
  const amqp = await startAmqpHub(tempFolder());
  const { hub } = amqp;
  const { counting, readOf } = counted(hub);
  const front = await startAmqp(counting, { host: "127.0.0.1", plain: { port: 0 } });
  onTestFinished(() => front.close());
  const port = front.plainPort ?? 0;
  await appendEvents(hub, BIG_EVENTS, { partition: 0 }, (index) => Buffer.alloc(BIG_BYTES, index));
  const slow = bareReceiver(hub, port, "shop/ConsumerGroups/$Default/Partitions/0", 1000);
  await until("the slow one has begun", () => slow.numbers.length > 0);
  slow.socket.pause();

  await appendEvents(hub, 3_000, { partition: 1 });
  const quick = collect(
    amqp.connectionString().replace(`:${amqp.front.plainPort}/`, `:${port}/`),
    earliestEventPosition,
    {
      partition: "1",
    },
  );
  await quick.has(3_000);
  const startMs = performance.now();
  await appendEvents(hub, 1, { partition: 1 });
  await quick.has(3_001);
  expect(performance.now() - startMs).toBeLessThan(1_000);
  // What the kernel buffers for both ends, one mebibyte of ours and one turn.
  expect((readOf[0] ?? 0) * BIG_BYTES).toBeLessThan(16_000_000);
  slow.socket.resume();
  await until("the slow one has it all", () => slow.numbers.length === BIG_EVENTS);
  expect(slow.numbers).toEqual(Array.from({ length: BIG_EVENTS }, (_, index) => index));
});

test("credit is kept to exactly, for each of several links of one session", async () => {
  const { hub, front } = await startAmqpHub(tempFolder());
  for (const partition of [0, 1]) await appendEvents(hub, 3_000, { partition });
  const port = front.plainPort ?? 0;
  const first = bareReceiver(hub, port, "shop/ConsumerGroups/$Default/Partitions/0", 7);
  const session = first.receiver.session;
  const numbers: number[] = [];
  const second = session.open_receiver({
    source: "shop/ConsumerGroups/$Default/Partitions/1",
    credit_window: 0,
  });
  second.on("message", ({ message }) => numbers.push(message.message_annotations["x-opt-sequence-number"]));
  second.on("receiver_open", () => second.add_credit(2_500));
  await until("the second link has its 2,500", () => numbers.length === 2_500);
  expect(numbers.at(-1)).toBe(2_499);
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect([first.numbers.length, numbers.length]).toEqual([7, 2_500]);
  first.receiver.add_credit(3);
  second.add_credit(1_000);
  await until("the rest", () => first.numbers.length === 10 && numbers.length === 3_000);
  expect(first.numbers).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  await appendEvents(hub, 1, { partition: 1 });
  await until("the tail", () => numbers.length === 3_001);
});

test.each([
  ["its session's window", 1_000, 40, { session_buffer_size: 20, receiver_options: { autoaccept: false } }],
  ["its credit, when a message takes many frames", 12, 12, { session_buffer_size: 20, max_frame_size: 16_384 }],
])("nothing is read ahead of what a client takes: %s", async (_, credit, readMax, options) => {
  const amqp = await startAmqpHub(tempFolder());
  const { counting, readOf } = counted(amqp.hub);
  const front = await startAmqp(counting, { host: "127.0.0.1", plain: { port: 0 } });
  onTestFinished(() => front.close());
  await appendEvents(amqp.hub, 100, { partition: 0 }, (index) => Buffer.alloc(BIG_BYTES, index));
  const address = "shop/ConsumerGroups/$Default/Partitions/0";
  const client = bareReceiver(amqp.hub, front.plainPort ?? 0, address, credit, options);
  await until("it has something", () => client.numbers.length > 0);
  await new Promise((resolve) => setTimeout(resolve, 200));
  expect(readOf[0]).toBeLessThanOrEqual(readMax);
});

test("over a WebSocket too, and over TLS", async () => {
  const { ca, key, cert } = await hubCertificates(tempFolder(), "localhost", systemClock);
  tls.setDefaultCACertificates([ca]);
  const { hub, front } = await startAmqpHub(tempFolder(), { tls: { port: 0, key, cert } });
  await appendEvents(hub, 500, { partition: 0 });
  const http = createServer({ key, cert });
  http.on("upgrade", (request, socket, head) => {
    if (!front.upgrade(request, socket, head)) socket.destroy();
  });
  await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void http.close());
  const key_ = hub.access.get("service")?.primaryKey;
  const text = (port: number | undefined): string =>
    `Endpoint=sb://localhost:${port}/;SharedAccessKeyName=service;SharedAccessKey=${key_};EntityPath=shop`;
  const overTls = collect(text(front.port), earliestEventPosition, { partition: "0" });
  await overTls.has(500);
  await overTls.close();

  const client = new EventHubConsumerClient("$Default", text((http.address() as AddressInfo).port), {
    retryOptions: IMPATIENT,
    webSocketOptions: { webSocket: WebSocket },
  });
  onTestFinished(() => client.close());
  let count = 0;
  const subscription = client.subscribe(
    "0",
    {
      processEvents: async (events) => {
        count += events.length;
      },
      processError: async (error) => Promise.reject(error),
    },
    { startPosition: earliestEventPosition, maxBatchSize: 100 },
  );
  await until("500 events", () => count === 500);
  await subscription.close();
});
