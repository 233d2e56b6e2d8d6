import { afterAll, beforeEach, expect, test } from "vitest";
import { type TestDatabase, testDatabase } from "../../test/support/postgres.ts";
import type { Refusal } from "./arrival.ts";
import { Quarantine, type RefusedMessage } from "./quarantine.ts";
import { listQuarantine, showQuarantine } from "./quarantine-desk.ts";

let server: TestDatabase | undefined;
beforeEach(async () => {
  server ??= await testDatabase();
  await server.database.query("DELETE FROM app.quarantine");
  await server.database.query(
    "UPDATE app.quarantine_total SET messages = 0, bytes = 0, dropped_messages = 0, dropped_bytes = 0",
  );
});
afterAll(() => server?.[Symbol.asyncDispose]());

function refused(sequenceNumber: number, body: Uint8Array, more: Partial<Refusal> = {}): RefusedMessage {
  return {
    message: {
      hubKey: "hub@1",
      partition: "2",
      sequenceNumber,
      offset: "o",
      enqueuedMs: 1_780_000_000_000.5,
      deviceId: "a\0'; DROP TABLE app.quarantine; --\ud800",
      contentType: "text/\0plain",
      body,
      properties: { "p\0": "\ud800", big: 7n, bytes: Buffer.from("b") },
      systemProperties: {},
    },
    refusals: [{ message: 1, code: "foreign", reason: "why\0", ...more }],
  };
}
const database = () => (server as TestDatabase).database;

test("P10 a message is kept as it came, once, however often it comes", async () => {
  const quarantine = new Quarantine({ database: database() });
  await quarantine.add([refused(7, Buffer.from([0, 1, 255])), refused(7, Buffer.from([0, 1, 255]))]);
  const total = await quarantine.add([refused(7, Buffer.from([0, 1, 255]), { code: "name", reason: "another" })]);
  expect(total).toMatchObject({ messages: 1, droppedMessages: 0 });
  const { messages } = await listQuarantine(database());
  expect(messages).toHaveLength(1);
  expect(messages[0]).toMatchObject({
    deviceId: "a\ufffd'; DROP TABLE app.quarantine; --\ufffd",
    contentType: "text/\ufffdplain",
    enqueuedMs: 1_780_000_000_000.5,
    bytes: 3,
    count: 2,
    code: "name",
    reason: "another",
  });
  const content = await showQuarantine(database(), messages[0]?.id ?? 0);
  expect([...(content.body ?? [])]).toEqual([0, 1, 255]);
  expect(content.properties).toEqual({ "p\0": "\ud800", big: "7", bytes: "Yg==" });
});

test("P10 a flood of poison stays within its bytes and its number: the oldest go, and are counted", async () => {
  const quarantine = new Quarantine({ database: database(), bytesMax: 40_000, messagesMax: 30 });
  for (let batch = 0; batch < 12; batch++) {
    const messages = Array.from({ length: 10 }, (_, i) => refused(batch * 10 + i, Buffer.alloc(1_000, i)));
    const { messages: kept, bytes } = await quarantine.add(messages);
    expect(kept).toBeLessThanOrEqual(30);
    expect(bytes).toBeLessThanOrEqual(40_000);
  }
  const { messages, total } = await listQuarantine(database());
  expect(total).toEqual({ messages: 26, bytes: 26 * 1_512, droppedMessages: 94, droppedBytes: 94 * 1_512 });
  expect(messages.map(({ sequenceNumber }) => sequenceNumber)).toEqual(Array.from({ length: 26 }, (_, i) => 119 - i));
  // One that is larger than everything together leaves nothing, itself included.
  const after = await quarantine.add([refused(500, Buffer.alloc(41_000))]);
  expect(after).toMatchObject({ messages: 0, bytes: 0, droppedMessages: 121 });
});

test("many large messages at once", async () => {
  const large = Array.from({ length: 12 }, (_, i) => refused(i, Buffer.alloc(900_000, i)));
  const total = await new Quarantine({ database: database() }).add(large);
  expect(total).toMatchObject({ messages: 12, bytes: 12 * 900_512 });
  const { messages } = await listQuarantine(database());
  expect(messages.map(({ sequenceNumber }) => sequenceNumber)).toEqual(Array.from({ length: 12 }, (_, i) => 11 - i));
});

test("what is too old goes, what is too large is kept without its body", async () => {
  const quarantine = new Quarantine({ database: database(), daysMax: 30 });
  await quarantine.add([refused(1, Buffer.from("old")), refused(2, Buffer.from("young"))]);
  await database().query("UPDATE app.quarantine SET first_seen = now() - interval '31 days' WHERE sequence_number = 1");
  const total = await quarantine.add([refused(3, Buffer.alloc(1_048_577))]);
  expect(total).toMatchObject({ messages: 2, droppedMessages: 1 });
  const { messages } = await listQuarantine(database());
  expect(messages.map(({ sequenceNumber, bytes }) => [sequenceNumber, bytes])).toEqual([
    [3, 1_048_577],
    [2, 5],
  ]);
  expect((await showQuarantine(database(), messages[0]?.id ?? 0)).body).toBeUndefined();
});
