import { EventHubConsumerClient, EventHubProducerClient, earliestEventPosition } from "@azure/event-hubs";
import rhea from "rhea";
import { expect, onTestFinished, test } from "vitest";
import { type AmqpHub, collect, IMPATIENT, startAmqpHub, withEvents } from "../../../test/support/amqp-hub.ts";
import { tempFolder } from "../../../test/support/temp-folder.ts";
import { until } from "../../../test/support/until.ts";
import { HubError } from "../hub-error.ts";
import { signSas } from "../sas.ts";
import { startAmqp } from "./start-amqp.ts";

function producer({ connectionString }: AmqpHub, access: Parameters<AmqpHub["connectionString"]>[0] = {}) {
  const client = new EventHubProducerClient(connectionString(access), {
    retryOptions: { ...IMPATIENT, maxRetries: 1 },
  });
  onTestFinished(() => client.close());
  return client;
}

/** The client gathers what its attempts were told, and those of its attempts' own. */
function reasonOf(error: unknown): string {
  return error instanceof AggregateError ? error.errors.map(reasonOf).join("; ") : String(error);
}

test("a batch goes to one partition, whole and in order, and is on disk when the producer is told so", async () => {
  const amqp = await startAmqpHub(tempFolder());
  const client = producer(amqp);
  const batch = await client.createBatch();
  expect(batch.maxSizeInBytes).toBe(1024 * 1024);
  for (let index = 0; index < 200; index++) {
    expect(batch.tryAdd({ body: { index }, properties: { index, flag: true }, messageId: `m-${index}` })).toBe(true);
  }
  await client.sendBatch(batch);
  const partition = [0, 1, 2, 3].find((each) => amqp.hub.events.info(each).lastSequenceNumber >= 0) ?? -1;
  const stored = amqp.hub.events.read(partition, 0, { events: 1000, bytes: 10_000_000 });
  expect(stored.map(({ body }) => JSON.parse(body.toString()))).toEqual(
    Array.from({ length: 200 }, (_, index) => ({ index })),
  );
  expect(stored[7]).toMatchObject({ properties: { index: "7", flag: "true" }, system: { messageId: "m-7" } });
  const collected = collect(amqp.connectionString(), earliestEventPosition);
  await collected.has(200);
  expect(collected.events.map(({ event }) => event.messageId)).toEqual(stored.map(({ system }) => system.messageId));
});

test("a partition key keeps events together, a partition id puts them where it says", async () => {
  const amqp = await startAmqpHub(tempFolder());
  const client = producer(amqp);
  for (let round = 0; round < 5; round++) {
    await client.sendBatch([{ body: round }, { body: -round }], { partitionKey: "mill-07" });
  }
  const [home] = [0, 1, 2, 3].filter((each) => amqp.hub.events.info(each).lastSequenceNumber === 9);
  expect(home).toBeTypeOf("number");
  const elsewhere = ((home ?? 0) + 1) % 4;
  await client.sendBatch([{ body: "there" }], { partitionId: String(elsewhere) });
  const [there] = amqp.hub.events.read(elsewhere, 0, { events: 9, bytes: 9_999 });
  expect(there?.body.toString()).toBe('"there"');
  const collected = collect(amqp.connectionString(), earliestEventPosition, { partition: String(home) });
  await collected.has(10);
  expect(collected.events.map(({ event }) => event.partitionKey)).toEqual(new Array(10).fill("mill-07"));
  await expect(client.sendBatch([{ body: 1 }], { partitionId: "9" })).rejects.toThrow("there is no partition '9'");
});

test("a message that is too large is refused with that reason, and the link goes on", async () => {
  const amqp = await startAmqpHub(tempFolder());
  const client = producer(amqp);
  await expect(client.sendBatch([{ body: Buffer.alloc(1024 * 1024) }])).rejects.toMatchObject({
    code: "MessageTooLargeError",
  });
  await client.sendBatch([{ body: Buffer.alloc(1_000_000, 7) }]);
  expect([0, 1, 2, 3].map((each) => amqp.hub.events.info(each).lastSequenceNumber).filter((n) => n >= 0)).toEqual([0]);
});

test("a producer is told nothing before the disk has its events; while the disk is behind it comes again by itself", async () => {
  const amqp = await startAmqpHub(tempFolder());
  const { hub } = amqp;
  let release: () => void = () => undefined;
  const gate = new Promise<void>((resolve) => {
    release = resolve;
  });
  let asked = 0;
  const slow = withEvents(hub, {
    async append(event) {
      if (++asked <= 2) throw new HubError("ThrottleBacklogLimitExceeded", "the disk is behind");
      await gate;
      return hub.events.append(event);
    },
  });
  const front = await startAmqp(slow, { host: "127.0.0.1", plain: { port: 0 } });
  onTestFinished(() => front.close());
  const text = amqp.connectionString().replace(`:${amqp.front.plainPort}/`, `:${front.plainPort}/`);
  const client = new EventHubProducerClient(text, { retryOptions: IMPATIENT });
  onTestFinished(() => client.close());
  const once = new EventHubProducerClient(text, { retryOptions: { ...IMPATIENT, maxRetries: 0 } });
  onTestFinished(() => once.close());
  await expect(once.sendBatch([{ body: 0 }])).rejects.toMatchObject({ code: "ServerBusyError", retryable: true });
  let told = false;
  const sent = client.sendBatch([{ body: 1 }], { partitionId: "3" }).then(() => {
    told = true;
  });
  await until("it comes again", () => asked === 3);
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(told).toBe(false);
  release();
  await sent;
  expect(hub.events.info(3).lastSequenceNumber).toBe(0);
});

test("a plain AMQP client sends single messages by user name and key, without a batch around them", async () => {
  const { hub, front } = await startAmqpHub(tempFolder());
  const outcomes: string[] = [];
  const container = rhea.create_container();
  container.on("sendable", ({ sender }) => {
    if (outcomes.length > 0) return;
    outcomes.push("sent");
    sender?.send({ body: "hello", message_id: "one", application_properties: { a: 1 } });
  });
  container.on("accepted", () => outcomes.push("accepted"));
  const connection = container.connect({
    host: "127.0.0.1",
    port: front.plainPort ?? 0,
    username: "service",
    password: hub.access.get("service")?.primaryKey ?? "",
    reconnect: false,
  });
  onTestFinished(() => connection.close());
  connection.open_sender("shop/Partitions/2");
  await until("the outcome", () => outcomes.length === 2);
  expect(outcomes).toEqual(["sent", "accepted"]);
  const [event] = hub.events.read(2, 0, { events: 5, bytes: 5_000 });
  expect(event).toMatchObject({ body: Buffer.from("hello"), properties: { a: "1" }, system: { messageId: "one" } });
});

test("a wrong key, an unknown policy and a policy without the right are refused, and the message says which", async () => {
  const amqp = await startAmqpHub(tempFolder());
  const wrong = Buffer.alloc(32, 5).toString("base64");
  const refusal = async (access: Parameters<AmqpHub["connectionString"]>[0]): Promise<string> => {
    const error: unknown = await producer(amqp, access)
      .sendBatch([{ body: 1 }])
      .catch((each: unknown) => each);
    return reasonOf(error);
  };
  expect(await refusal({ key: wrong })).toMatch(/does not fit shared access policy 'service': wrong key/);
  expect(await refusal({ policy: "nobody", key: wrong })).toMatch(/no shared access policy 'nobody'/);
  expect(await refusal({ policy: "device" })).toMatch(/policy 'device' has no right ServiceConnect/);
  const collected = collect(amqp.connectionString({ key: wrong }), earliestEventPosition, { partition: "0" });
  const told = await until("a refusal", () => collected.errors[0], 25_000);
  expect(reasonOf(told)).toMatch(/wrong key or altered token/);
  await producer(amqp, { policy: "iothubowner" }).sendBatch([{ body: 1 }]);
});

test("links end with their token, and the client that was cut off is told when it expired", async () => {
  const { hub, front } = await startAmqpHub(tempFolder());
  const key = hub.access.get("service")?.secondaryKey ?? "";
  const expiry = Math.floor(Date.now() / 1000) + 2;
  const token = signSas("sb://127.0.0.1/shop", key, expiry * 1000, "service");
  const client = new EventHubConsumerClient(
    "$Default",
    `Endpoint=sb://127.0.0.1:${front.plainPort}/;SharedAccessSignature=${token};EntityPath=shop;UseDevelopmentEmulator=true`,
    { retryOptions: { ...IMPATIENT, maxRetries: 0 } },
  );
  onTestFinished(() => client.close());
  const errors: Error[] = [];
  const subscription = client.subscribe(
    "0",
    { processEvents: async () => undefined, processError: async (error) => void errors.push(error) },
    { startPosition: earliestEventPosition },
  );
  onTestFinished(() => subscription.close());
  const error = await until("the end of the token", () => errors[0]);
  expect(error.message).toMatch(/the token for 'shop\/.*' expired at 20/);
  expect(Date.now() / 1000).toBeGreaterThanOrEqual(expiry);
});
