import { EventHubConsumerClient, earliestEventPosition, latestEventPosition } from "@azure/event-hubs";
import { expect, onTestFinished, test } from "vitest";
import { appendEvents, collect, IMPATIENT, startAmqpHub } from "../../../test/support/amqp-hub.ts";
import { tempFolder } from "../../../test/support/temp-folder.ts";
import { until } from "../../../test/support/until.ts";

// The judge is Microsoft's own @azure/event-hubs, as a consumer of the office uses it.

const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, index) => from + index);

test("a consumer gets every event of every partition from the beginning, in order, as it was sent", async () => {
  const { hub, connectionString } = await startAmqpHub(tempFolder());
  for (const partition of range(0, 4)) await appendEvents(hub, 150, { partition });
  await hub.events.append({
    source: { deviceId: "edge-7", moduleId: "uplink" },
    body: Buffer.from([0, 255, 1, 254]),
    properties: { kind: "frame", empty: "", Größe: "ö".repeat(300) },
    system: {
      messageId: "m-1",
      correlationId: "c-2",
      contentType: "application/octet-stream",
      contentEncoding: "zstd",
      userId: "u-3",
      creationTimeUtc: "2026-03-04T05:06:07.000Z",
    },
    messageSource: "Telemetry",
    authMethod: '{"scope":"module"}',
    authGenerationId: "637",
    partitionKey: "k-9",
    partition: 2,
  });
  const collected = collect(connectionString(), earliestEventPosition);
  await collected.has(601);
  for (const partition of ["0", "1", "3"]) expect(collected.numbers(partition)).toEqual(range(0, 150));
  expect(collected.numbers("2")).toEqual(range(0, 151));
  const { event } = collected.events.find((each) => each.event.messageId === "m-1") ?? {};
  expect(event?.body).toEqual(Buffer.from([0, 255, 1, 254]));
  expect(event?.properties).toEqual({ kind: "frame", empty: "", Größe: "ö".repeat(300) });
  expect(event).toMatchObject({
    sequenceNumber: 150,
    offset: "150",
    partitionKey: "k-9",
    correlationId: "c-2",
    contentType: "application/octet-stream",
    systemProperties: {
      "iothub-connection-device-id": "edge-7",
      "iothub-connection-module-id": "uplink",
      "iothub-connection-auth-method": '{"scope":"module"}',
      "iothub-connection-auth-generation-id": "637",
      "iothub-message-source": "Telemetry",
      contentEncoding: "zstd",
      userId: Buffer.from("u-3"),
      to: "/devices/edge-7/modules/uplink/messages/events",
      creationTime: Date.parse("2026-03-04T05:06:07.000Z"),
    },
  });
  const [stored] = hub.events.read(2, 150, { events: 1, bytes: 1 });
  expect(event?.enqueuedTimeUtc.getTime()).toBe(stored?.enqueuedMs);
  expect(event?.systemProperties?.["iothub-enqueuedtime"]).toBe(stored?.enqueuedMs);
  expect(collected.errors).toEqual([]);
});

test("a consumer begins where it says: offset, sequence number, time, with or without the event itself, or from now on", async () => {
  const { hub, connectionString } = await startAmqpHub(tempFolder());
  await appendEvents(hub, 20, { partition: 1 });
  await until("the clock goes on", () => Date.now() > hub.events.info(1).lastEnqueuedMs);
  const betweenMs = hub.events.info(1).lastEnqueuedMs;
  await appendEvents(hub, 20, { partition: 1 });
  const text = connectionString();
  const from = (position: Parameters<typeof collect>[1]) => collect(text, position, { partition: "1" });
  const cases = [
    [from({ offset: "30" }), range(31, 40)],
    [from({ offset: "30", isInclusive: true }), range(30, 40)],
    [from({ sequenceNumber: 35 }), range(36, 40)],
    [from({ sequenceNumber: 35, isInclusive: true }), range(35, 40)],
    [from({ enqueuedOn: betweenMs }), range(20, 40)],
  ] as const;
  for (const [collected, numbers] of cases) {
    await collected.has(numbers.length);
    expect(collected.numbers("1")).toEqual(numbers);
    await collected.close();
  }
  const latest = collect(text, latestEventPosition, { partition: "1" });
  await attached(latest, async () => appendEvents(hub, 1, { partition: 1 }));
  expect(latest.numbers("1")[0]).toBeGreaterThanOrEqual(40);
  expect(latest.numbers("1")).not.toContain(39);
});

/** Appends until the first one arrives: a link that begins "from now on" sees only what comes after it was attached. */
async function attached(collected: ReturnType<typeof collect>, append: () => Promise<void>): Promise<void> {
  for (let tries = 0; collected.events.length === 0; tries++) {
    if (tries > 200) throw new Error("nothing arrives");
    await append();
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

test("an event that is appended reaches a waiting consumer at once", async () => {
  const { hub, connectionString } = await startAmqpHub(tempFolder());
  const collected = collect(connectionString(), latestEventPosition, { partition: "0" });
  await attached(collected, () => appendEvents(hub, 1, { partition: 0 }));
  const before = collected.events.length;
  const startMs = performance.now();
  await appendEvents(hub, 1, { partition: 0 });
  await collected.has(before + 1);
  expect(performance.now() - startMs).toBeLessThan(500);
});

test("the hub, its partitions and the state of a partition can be asked for and followed", async () => {
  const { hub, connectionString } = await startAmqpHub(tempFolder());
  await appendEvents(hub, 7, { partition: 3 });
  const client = new EventHubConsumerClient("$Default", connectionString(), { retryOptions: IMPATIENT });
  onTestFinished(() => client.close());
  const properties = await client.getEventHubProperties();
  expect(properties).toMatchObject({ name: "shop", partitionIds: ["0", "1", "2", "3"] });
  expect(properties.createdOn.getTime()).toBe(hub.events.createdMs);
  expect(await client.getPartitionProperties("3")).toEqual({
    eventHubName: "shop",
    partitionId: "3",
    beginningSequenceNumber: 0,
    lastEnqueuedSequenceNumber: 6,
    lastEnqueuedOffset: "6",
    lastEnqueuedOnUtc: new Date(hub.events.info(3).lastEnqueuedMs),
    isEmpty: false,
  });
  expect(await client.getPartitionProperties("0")).toMatchObject({ lastEnqueuedSequenceNumber: -1, isEmpty: true });
  await expect(client.getPartitionProperties("4")).rejects.toThrow("there is no partition '4', only 0 to 3");

  const followed: unknown[] = [];
  const subscription = client.subscribe(
    "3",
    {
      async processEvents(events, context) {
        if (events.length > 0) followed.push(context.lastEnqueuedEventProperties);
      },
      processError: async (error) => void followed.push(error),
    },
    { startPosition: earliestEventPosition, trackLastEnqueuedEventProperties: true, maxBatchSize: 50 },
  );
  await until("a batch", () => followed.length > 0);
  await subscription.close();
  expect(followed[0]).toMatchObject({
    sequenceNumber: 6,
    offset: "6",
    enqueuedOn: new Date(hub.events.info(3).lastEnqueuedMs),
  });
});

test("a consumer that names a group, a hub or a position that is not there is told so; another group reads for itself", async () => {
  const { hub, connectionString } = await startAmqpHub(tempFolder(), { consumerGroups: ["office"] });
  await appendEvents(hub, 5, { partition: 0 });
  const text = connectionString();
  const office = collect(text, earliestEventPosition, { group: "OFFICE", partition: "0" });
  const first = collect(text, earliestEventPosition, { partition: "0" });
  await office.has(5);
  await first.has(5);
  const refused = async (collected: ReturnType<typeof collect>, message: RegExp, code: string) => {
    const error = await until("a refusal", () => collected.errors[0]);
    expect(error.message).toMatch(message);
    expect(error).toMatchObject({ code });
    await collected.close();
  };
  await refused(
    collect(text, earliestEventPosition, { group: "nobody", partition: "0" }),
    /no such consumer group, only \$default, office/,
    "MessagingEntityNotFoundError",
  );
  await refused(
    collect(text, { offset: "77" }, { partition: "0" }),
    /partition 0 ends at 4/,
    "ArgumentOutOfRangeError",
  );
  await refused(
    collect(connectionString({ hubName: "elsewhere" }), earliestEventPosition, { partition: "0" }),
    /'elsewhere\/.*could not be found: this is 'shop'/,
    "MessagingEntityNotFoundError",
  );
});

test("a higher owner level takes a partition over, a lower one and one without are refused while it lasts", async () => {
  const { hub, connectionString } = await startAmqpHub(tempFolder());
  await appendEvents(hub, 3, { partition: 0 });
  const text = connectionString();
  const none = collect(text, earliestEventPosition, { partition: "0" });
  await none.has(3);
  const one = collect(text, earliestEventPosition, { partition: "0", ownerLevel: 1 });
  await one.has(3);
  expect((await until("none is thrown out", () => none.errors[0])).message).toMatch(/owner level 1 took the place/);
  expect(none.errors[0]).toMatchObject({ code: "ReceiverDisconnectedError" });
  await none.close();

  const two = collect(text, earliestEventPosition, { partition: "0", ownerLevel: 2 });
  await two.has(3);
  expect((await until("one is thrown out", () => one.errors[0])).message).toMatch(
    /level 2 took the place of the one with owner level 1/,
  );
  await one.close();
  for (const ownerLevel of [1, undefined]) {
    const late = collect(text, earliestEventPosition, {
      partition: "0",
      ...(ownerLevel === undefined ? {} : { ownerLevel }),
    });
    expect((await until("late is refused", () => late.errors[0])).message).toMatch(
      /is owned by a receiver with owner level 2/,
    );
    expect(late.events).toEqual([]);
    await late.close();
  }
  await two.close();
  const again = collect(text, earliestEventPosition, { partition: "0" });
  await again.has(3);
});

test("five consumers without an owner level share a partition, a sixth is refused until one leaves", async () => {
  const { hub, connectionString } = await startAmqpHub(tempFolder());
  await appendEvents(hub, 2, { partition: 0 });
  const text = connectionString();
  const five = range(0, 5).map(() => collect(text, earliestEventPosition, { partition: "0" }));
  for (const collected of five) await collected.has(2);
  const sixth = collect(text, earliestEventPosition, { partition: "0" });
  expect((await until("a refusal", () => sixth.errors[0])).message).toMatch(/has 5 receivers without an owner level/);
  await sixth.close();
  await five[0]?.close();
  await collect(text, earliestEventPosition, { partition: "0" }).has(2);
});

test("P08 after a restart of the hub on the same port consumers go on by themselves, and nothing is lost or doubled", async () => {
  const folder = tempFolder();
  const before = await startAmqpHub(folder);
  await appendEvents(before.hub, 300, { partition: 0 });
  await appendEvents(before.hub, 100, { partition: 1 });
  const collected = collect(before.connectionString(), earliestEventPosition);
  await collected.has(400);
  const port = before.front.plainPort ?? 0;
  await before[Symbol.asyncDispose]();
  const after = await startAmqpHub(folder, { plain: { port } });
  await appendEvents(after.hub, 300, { partition: 0 });
  await appendEvents(after.hub, 100, { partition: 1 });
  await collected.has(800);
  expect(collected.numbers("0")).toEqual(range(0, 600));
  expect(collected.numbers("1")).toEqual(range(0, 200));
});
