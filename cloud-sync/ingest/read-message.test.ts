import { crc32 } from "node:zlib";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { anyEvents, FUZZ_RUNS, FUZZ_SEED } from "../../test/support/any-events.ts";
import { machineStream } from "../../test/support/machine-streams.ts";
import { encodeBlock } from "../contract/block/block-builder.ts";
import { BlockError } from "../contract/block/block-error.ts";
import { readFullHead, writeHead } from "../contract/block/block-head.ts";
import type { StoredEvent } from "../contract/event.ts";
import { encodeBundle, type Run } from "../contract/frame/bundle.ts";
import { EVENTS_CONTENT_TYPE, encodeEvents } from "../contract/frame/events-json.ts";
import { encodeFrame, FRAME_CONTENT_TYPE, type FramePart } from "../contract/frame/frame.ts";
import { type HubMessage, readMessage } from "./read-message.ts";

const NO_HASH = new Uint8Array(16);
const ENQUEUED_MS = 1_780_000_900_000;

function messageOf(body: Uint8Array | string, contentType = EVENTS_CONTENT_TYPE, sequenceNumber = 77): HubMessage {
  return {
    hubKey: "hub@1",
    partition: "3",
    sequenceNumber,
    offset: "9",
    enqueuedMs: ENQUEUED_MS,
    deviceId: "box-1",
    contentType,
    body: typeof body === "string" ? Buffer.from(body) : body,
    properties: {},
    systemProperties: {},
  };
}

const frame = (...parts: FramePart[]): HubMessage => messageOf(encodeFrame(parts), FRAME_CONTENT_TYPE);
const block = (events: readonly StoredEvent[]): FramePart => ({ kind: "block", bytes: encodeBlock(events, NO_HASH) });
const json = (value: unknown, sequenceNumber?: number) =>
  readMessage(messageOf(JSON.stringify(value), EVENTS_CONTENT_TYPE, sequenceNumber), 5);
const codes = (message: HubMessage): string[] => readMessage(message, 5).refusals.map(({ code }) => code);

describe("devices of another make", () => {
  const lab = {
    factoryId: "factory 1",
    machine: { machineId: 12345, temperature: 54.5, pressure: 7540.25, electricityUtilization: 29.5 },
    ambient: { temperature: 22.75, humidity: 21 },
    timeCreated: "2026-05-28T20:40:01.250Z",
  };

  test("the lab's shape becomes telemetry of its machine, with the time of the measurement", () => {
    const { arrivals, refusals } = json(lab);
    expect(refusals).toEqual([]);
    expect(arrivals).toHaveLength(1);
    const [arrival] = arrivals;
    if (arrival?.kind !== "foreign") throw new Error("no foreign arrival");
    expect(arrival.origin).toEqual({ factoryId: "factory 1", deviceId: "box-1", enqueuedMs: ENQUEUED_MS });
    const event = arrival.events[0] as StoredEvent;
    const timeMs = Date.parse(lab.timeCreated);
    expect(event).toMatchObject({ epoch: "iothub:hub@1/3", machineId: "factory 1/12345", type: "telemetry", timeMs });
    expect(event.seq).toBe(77 * 1024);
    expect(event.entityId).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect((event.data as { samples: unknown[] }).samples).toEqual(
      [
        ["machineTemperature", 54.5],
        ["machinePressure", 7540.25],
        ["electricityUtilization", 29.5],
        ["ambientTemperature", 22.75],
        ["ambientHumidity", 21],
      ].map(([signal, value]) => ({
        signal,
        value,
        statusCode: 0,
        sourceTimestampMs: timeMs,
        serverTimestampMs: ENQUEUED_MS,
        receivedTimestampMs: timeMs,
      })),
    );
    expect(json(lab)).toEqual(json(lab));
    expect(json(lab, 78)).not.toEqual(json(lab));
  });

  test("an array is an event for each reading; those without a meaning are refused by themselves", () => {
    const { arrivals, refusals } = json([
      lab,
      { machineId: "p/9", speed: 3, on: true, mode: "auto" },
      { speed: 3 },
      lab,
    ]);
    expect(
      arrivals.map((arrival) => arrival.kind === "foreign" && arrival.events.map(({ seq }) => seq % 1024)),
    ).toEqual([[0, 3], [1]]);
    expect(refusals.map(({ code, reason }) => [code, reason])).toEqual([["foreign", "JSON that names no machine"]]);
  });

  test("a flat object without a time has the hub's; seconds, milliseconds and ISO are times", () => {
    const timeOf = (more: object): number | undefined => {
      const [arrival] = json({ machine_id: "m", value: 1, ...more }).arrivals;
      return arrival?.kind === "foreign" ? arrival.events[0]?.timeMs : undefined;
    };
    expect(timeOf({})).toBe(ENQUEUED_MS);
    expect(timeOf({ ts: 1_779_000_000 })).toBe(1_779_000_000_000);
    expect(timeOf({ timestamp: 1_779_000_000_123 })).toBe(1_779_000_000_123);
    expect(timeOf({ time: "2026-05-28T20:40:01Z" })).toBe(Date.parse("2026-05-28T20:40:01Z"));
  });

  test.each<[string, unknown, string]>([
    ["no machine", { temperature: 3 }, "foreign"],
    ["no number", { machineId: "m", mode: "auto" }, "foreign"],
    ["an unknown nested shape", { machineId: "m", a: { b: 1 } }, "foreign"],
    ["a number alone", 7, "foreign"],
    ["null", null, "foreign"],
    ["nothing", [], "foreign"],
    ["NUL in the machine id", { machineId: "a\0b", x: 1 }, "name"],
    ["half a character in the machine id", { machineId: "a\ud800", x: 1 }, "name"],
    ["a machine id of 513 characters", { machineId: "x".repeat(513), x: 1 }, "name"],
    ["an empty machine id", { machineId: "", x: 1 }, "name"],
    ["a time that is none", { machineId: "m", x: 1, time: "yesterday" }, "time"],
    ["a time in the year 9999", { machineId: "m", x: 1, time: "9999-01-01T00:00:00Z" }, "time"],
    ["a time before 1970", { machineId: "m", x: 1, time: "1901-01-01T00:00:00Z" }, "time"],
    ["too many readings", Array.from({ length: 1025 }, () => ({ machineId: "m", x: 1 })), "limit"],
  ])("refused: %s", (_, value, code) => {
    const { arrivals, refusals } = json(value);
    expect(arrivals).toEqual([]);
    expect(refusals.map((refusal) => refusal.code)).toEqual([code]);
  });

  test("names with quotes, slashes, SQL and emoji are names", () => {
    const machineId = "a'; DROP TABLE x; --/\u{1f980}%00\\";
    const { arrivals, refusals } = json({ machineId, x: 1 });
    expect(refusals).toEqual([]);
    expect(arrivals).toHaveLength(1);
  });
});

describe("messages of ours", () => {
  const stream = machineStream("redmond/mill-01", 12);
  const first = stream[0] as StoredEvent;

  test("events without an entity id have their identity; those told twice are there once, in the order of seq", () => {
    const texts = [3, 1, 3].map((seq) => ({
      epoch: "e",
      machineId: "m",
      seq,
      offset: 1,
      type: "state",
      time: "2026-05-28T20:40:01.000Z",
      data: {},
    }));
    const [arrival] = json({ v: 1, events: texts }).arrivals;
    if (arrival?.kind !== "events") throw new Error("no events");
    expect(arrival.events.map(({ seq, entityId }) => [seq, entityId])).toEqual([
      [1, "e/m/1"],
      [3, "e/m/3"],
    ]);
  });

  test("one bad part of a frame is refused, the others are taken", () => {
    const bad = [{ ...first, machineId: "a\0b", entityId: "x" }];
    const { arrivals, refusals } = readMessage(frame(block(bad), block(stream)), 5);
    expect(refusals).toEqual([{ message: 5, code: "name", reason: "a machine id with a NUL character" }]);
    expect(arrivals.map(({ kind, message }) => [kind, message])).toEqual([["run", 5]]);
  });

  const changed = (more: object): StoredEvent[] => [{ ...first, ...more } as StoredEvent];
  test.each<[string, HubMessage, string]>([
    ["an unknown content type", messageOf("hello", "text/plain"), "content-type"],
    ["no JSON", messageOf("{"), "malformed"],
    ["no UTF-8", messageOf(Buffer.from([0x22, 0xff, 0x22])), "malformed"],
    ["JSON of a newer version", messageOf('{"v":2,"events":[]}'), "version"],
    ["a damaged frame", messageOf(Buffer.from("TSFR"), FRAME_CONTENT_TYPE), "truncated"],
    ["more than a megabyte", messageOf(Buffer.alloc(1_048_577, 0x20)), "limit"],
    ["a machine id of 513 characters", frame(block(changed({ machineId: "x".repeat(513) }))), "name"],
    ["an epoch that only the cloud gives", frame(block(changed({ epoch: "iothub:hub@1/3" }))), "name"],
    ["a time before 1970", frame(block(changed({ timeMs: -1 }))), "time"],
    ["a time beyond what a date can be", frame(block(changed({ timeMs: 1e300 }))), "time"],
    ["a time two years ahead", frame(block(changed({ timeMs: ENQUEUED_MS + 2 * 366 * 86_400_000 }))), "time"],
    ["an entity id of 4,000 characters", frame(block(changed({ entityId: "e".repeat(4_000) }))), "name"],
    ["data that is no object", frame(block(changed({ type: "alarm", data: 7 }))), "malformed"],
  ])("refused: %s", (_, message, code) => {
    expect(readMessage(message, 5).arrivals).toEqual([]);
    expect(codes(message)).toEqual([code]);
  });

  test.each<[string, unknown]>([
    ["none", {}],
    ["no array", { samples: 3 }],
    ["null", { samples: [null] }],
    ["no status", { samples: [{ signal: "a", value: 1, receivedTimestampMs: 1 }] }],
    [
      "a value that is an object",
      {
        samples: [
          {
            signal: "a",
            value: {},
            statusCode: 0,
            sourceTimestampMs: null,
            serverTimestampMs: null,
            receivedTimestampMs: 1,
          },
        ],
      },
    ],
  ])("refused: telemetry as JSON whose samples are %s", (_, data) => {
    const event = {
      epoch: "e",
      machineId: "m",
      seq: 1,
      offset: 1,
      type: "telemetry",
      time: "2026-05-28T20:40:01.000Z",
      data,
    };
    expect(json({ v: 1, events: [event] }).refusals.map(({ code }) => code)).toEqual(["malformed"]);
  });
});

/** The block with some bytes behind its head changed, and all checksums made true. */
function forged(events: readonly StoredEvent[], changes: readonly (readonly [number, number])[]): Buffer {
  const block = encodeBlock(events, NO_HASH);
  const head = readFullHead(block);
  const body = Buffer.from(block.subarray(head.headBytes));
  for (const [at, value] of changes) body[at % body.length] = value;
  let at = 0;
  const sections = head.sections.map(({ bytes }) => {
    at += bytes;
    return { bytes, crc: crc32(body.subarray(at - bytes, at)) };
  });
  return Buffer.concat([writeHead({ ...head, sections }), body]);
}

test("hostile: whatever bytes are changed, checksums true or not, messages are taken apart, and what is taken can be read or not", () => {
  const anyChanges = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 5 });
  let [taken, unreadable] = [0, 0];
  fc.assert(
    fc.property(anyEvents, anyChanges, (events, changes) => {
      const bundle = encodeBundle([events as unknown as Run]);
      for (const [at, value] of changes) bundle[at % bundle.length] = value;
      const block = forged(events, changes);
      const parts: FramePart[] = [
        { kind: "bundle", bytes: bundle },
        { kind: "block", bytes: block },
      ];
      for (const part of parts) {
        const { arrivals, refusals } = readMessage(frame(part), 1);
        if (part.kind === "block") expect(arrivals.length + refusals.length).toBe(1);
        for (const arrival of arrivals) {
          if (arrival.kind !== "run") continue;
          taken++;
          try {
            arrival.block.events();
          } catch (error) {
            unreadable++;
            expect(error).toBeInstanceOf(BlockError);
          }
        }
      }
      for (const { body } of encodeEvents(events, 250_000).messages) {
        for (const [at, value] of changes) body[at % body.length] = value;
        readMessage(messageOf(body), 1);
      }
    }),
    { seed: FUZZ_SEED, numRuns: FUZZ_RUNS },
  );
  expect(taken).toBeGreaterThan(0);
  expect(unreadable).toBeGreaterThan(0);
});
