import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import { expect, test } from "vitest";
import { anyEvents, FUZZ_RUNS, FUZZ_SEED } from "../../../test/support/any-events.ts";
import { polledFactory, slowSignals, stored } from "../../../test/support/block-samples.ts";
import type { StoredEvent, TelemetrySample } from "../event.ts";
import type { SampleValue } from "../sample.ts";
import { blockHash, decodeBlock, readBlockHead, verifyBlock } from "./block.ts";
import { BlockBuilder, encodeBlock } from "./block-builder.ts";
import { BlockError } from "./block-error.ts";
import { type BlockJson, blockFromJson, blockToJson } from "./block-json.ts";
import { BLOCK_BYTES_MAX } from "./limits.ts";

const NO_HASH = new Uint8Array(16);
const HASH = Uint8Array.from({ length: 16 }, (_, i) => i + 1);

function expectSame(actual: unknown, expected: unknown): void {
  // The strict comparison knows -0 and NaN; vitest's is only for the message.
  if (!isDeepStrictEqual(actual, expected)) expect(actual).toEqual(expected);
  expect(isDeepStrictEqual(actual, expected)).toBe(true);
}

function codeOf(run: () => unknown): string | undefined {
  try {
    run();
    return undefined;
  } catch (error) {
    expect(error).toBeInstanceOf(BlockError);
    return (error as BlockError).code;
  }
}

function samplesOf(event: StoredEvent): readonly TelemetrySample[] {
  return event.type === "telemetry" ? event.data.samples : [];
}

// Goal: a block gives back every event that went in, bit for bit, by rows, by columns and as JSON.
// Method: streams of anything that the types allow; numbers are compared by Object.is.
test("whatever an event can hold comes back", () => {
  fc.assert(
    fc.property(anyEvents, (events) => {
      const bytes = encodeBlock(events, HASH);
      const block = decodeBlock(bytes);
      expectSame(block.events(), events);
      const json = JSON.parse(JSON.stringify(blockToJson(block)));
      expectSame(decodeBlock(blockFromJson(json)).events(), events);
      expectColumns(bytes, events);
    }),
    { numRuns: FUZZ_RUNS, seed: FUZZ_SEED },
  );
});

function expectColumns(bytes: Uint8Array, events: readonly StoredEvent[]): void {
  const block = decodeBlock(bytes);
  const names = new Set(events.flatMap(samplesOf).map(({ signal }) => signal));
  expect(new Set(block.signals)).toEqual(names);
  for (const name of names) {
    const rows = events.flatMap((event, index) =>
      samplesOf(event)
        .filter(({ signal }) => signal === name)
        .map((sample) => ({ sample, index })),
    );
    const column = block.column(name);
    expectSame(
      column?.values(),
      rows.map(({ sample }) => sample.value),
    );
    expectSame(
      Array.from(column?.numbers ?? []),
      rows.map(({ sample }) => plotted(sample.value)),
    );
    expectSame(
      Array.from(column?.receivedMs ?? []),
      rows.map(({ sample }) => sample.receivedTimestampMs),
    );
    expectSame(
      Array.from(column?.sourceMs ?? []),
      rows.map(({ sample }) => sample.sourceTimestampMs ?? Number.NaN),
    );
    expectSame(
      Array.from(column?.statusCodes ?? []),
      rows.map(({ sample }) => sample.statusCode),
    );
    expectSame(
      Array.from(column?.eventIndex ?? []),
      rows.map(({ index }) => index),
    );
  }
  expect(block.column("no such signal")).toBeUndefined();
  expectSame(
    block.rareEvents(),
    events.filter(({ type }) => type !== "telemetry"),
  );
  expectSame(
    Array.from(block.eventOffsets()),
    events.map(({ offset }) => offset),
  );
  expectSame(
    Array.from(block.eventTimes()),
    events.map(({ timeMs }) => timeMs),
  );
}

function plotted(value: SampleValue): number {
  if (typeof value === "bigint") return Number(value);
  return typeof value === "number" ? value : Number.NaN;
}

test("JSON that is no block gives a BlockError", () => {
  const json = JSON.stringify(blockToJson(decodeBlock(encodeBlock(slowSignals(3, 2), HASH))));
  fc.assert(
    fc.property(fc.nat(json.length - 1), fc.constantFrom("0", "9", "-", "$", "x"), (at, character) => {
      let changed: BlockJson;
      try {
        changed = JSON.parse(json.slice(0, at) + character + json.slice(at + 1));
      } catch {
        return;
      }
      codeOf(() => blockFromJson(changed));
    }),
    { numRuns: FUZZ_RUNS, seed: FUZZ_SEED },
  );
});

test("the simulated factory comes back, at less than 0.7 bytes a reading in two minutes", () => {
  let [bytes, samples] = [0, 0];
  for (const events of polledFactory(120)) {
    const block = encodeBlock(events, NO_HASH);
    expectSame(decodeBlock(block).events(), events);
    bytes += block.length;
    samples += events.reduce((sum, event) => sum + samplesOf(event).length, 0);
  }
  expect(bytes / samples).toBeLessThan(0.7);
});

test("a hundred slow signals take less than 0.2 bytes a reading in five minutes", () => {
  const events = slowSignals(300, 100);
  const block = encodeBlock(events, NO_HASH);
  expectSame(decodeBlock(block).events(120, 180), events.slice(120, 180));
  expect(block.length / 30_000).toBeLessThan(0.2);
});

test("the head says what the block is, and the chain holds", () => {
  const events = slowSignals(20, 3).slice(4);
  const bytes = encodeBlock(events, HASH);
  const head = readBlockHead(bytes);
  expect(head).toMatchObject({
    version: 1,
    epoch: events[0]?.epoch,
    machineId: "redmond/oven-01",
    firstSeq: 5,
    lastSeq: 20,
    firstOffset: 65,
    lastOffset: 260,
    events: 16,
    samples: 48,
    fromMs: events[0]?.timeMs,
    toMs: events.at(-1)?.timeMs,
    bytes: bytes.length,
  });
  expect(head.previousHash).toEqual(Buffer.from(HASH));
  expect(verifyBlock(bytes)).toEqual(head);
  const next = encodeBlock(slowSignals(30, 3).slice(20), blockHash(bytes));
  expect(readBlockHead(next).previousHash).toEqual(blockHash(bytes));
  expect(blockHash(next)).not.toEqual(blockHash(bytes));
});

test("rare events are read without touching any telemetry column", () => {
  const events = [
    ...slowSignals(3, 2),
    stored("redmond/oven-01", 4, {
      type: "alarm",
      timeMs: 1_780_000_000_500,
      entityId: "e/m/2",
      causedBy: "e/m/1",
      data: { a: [1, "x"] },
    }),
    stored("redmond/oven-01", 5, { type: "state", timeMs: 1_780_000_000_400, data: { state: "idle" } }),
  ];
  const bytes = encodeBlock(events, NO_HASH);
  const broken = Buffer.from(bytes);
  broken[broken.length - 1] = (broken.at(-1) as number) ^ 0xff;
  expectSame(decodeBlock(broken).rareEvents(), events.slice(3));
  expect(codeOf(() => decodeBlock(broken).events())).toBe("checksum");
  expect(codeOf(() => verifyBlock(broken))).toBe("checksum");
});

test("a builder is used again, and keeps everything when the block would be too large", () => {
  const builder = new BlockBuilder({ epoch: "e", machineId: "m" });
  const speed = builder.signalRef("speed");
  const fill = (from: number, to: number): void => {
    for (let seq = from; seq <= to; seq++) {
      builder.beginEvent(seq, seq * 3, "telemetry", 1_780_000_000_000 + seq, null, null, null);
      for (let i = 0; i < 10; i++)
        builder.addSample(speed, Math.sin(seq * 10 + i) * 1e9, 0, Number.NaN, Number.NaN, 1_780_000_000_001 + seq);
    }
  };
  fill(1, 4_000);
  expect(builder.estimatedBytes).toBeGreaterThan(BLOCK_BYTES_MAX);
  expect(codeOf(() => builder.finish(NO_HASH))).toBe("limit");
  expect(builder).toMatchObject({ events: 4_000, samples: 40_000, firstSeq: 1, lastSeq: 4_000 });
  builder.discard();
  expect(builder.signalRef("load")).toBe(speed + 1);
  expect(builder.signalRef("speed")).toBe(speed);
  fill(4_001, 4_100);
  const estimated = builder.estimatedBytes;
  const block = builder.finish(NO_HASH);
  expect(decodeBlock(block).head).toMatchObject({ firstSeq: 4_001, lastSeq: 4_100, samples: 1_000 });
  expect(decodeBlock(block).signals).toEqual(["speed"]);
  expect(estimated).toBeGreaterThan(block.length * 0.9);
  expect(estimated).toBeLessThan(block.length * 3);
  expect(builder).toMatchObject({ events: 0, samples: 0 });
});

test("what cannot be in a block is refused", () => {
  const builder = new BlockBuilder({ epoch: "e", machineId: "m" });
  const begin = (seq: number, offset = 1, timeMs = 1, json: string | null = null): void =>
    builder.beginEvent(seq, offset, json === null ? "telemetry" : "alarm", timeMs, null, null, json);
  expect(codeOf(() => builder.addSample(0, 1, 0, 1, 1, 1))).toBe("malformed");
  expect(codeOf(() => begin(1, -1))).toBe("malformed");
  expect(codeOf(() => begin(1, 1, Number.NaN))).toBe("malformed");
  expect(codeOf(() => begin(1.5))).toBe("malformed");
  begin(7);
  expect(codeOf(() => begin(9))).toBe("malformed");
  begin(8, 2, 2, "{}");
  expect(codeOf(() => builder.addSample(0, 1, 0, 1, 1, 1))).toBe("malformed");
  expect(codeOf(() => builder.finish(new Uint8Array(3)))).toBe("malformed");
  expect(codeOf(() => encodeBlock([], NO_HASH))).toBe("malformed");
  const nested = stored("m", 1, {
    type: "telemetry",
    timeMs: 1,
    data: {
      samples: [
        {
          signal: "s",
          value: [[1]] as unknown as SampleValue,
          statusCode: 0,
          sourceTimestampMs: null,
          serverTimestampMs: null,
          receivedTimestampMs: 1,
        },
      ],
    },
  });
  expect(codeOf(() => encodeBlock([nested], NO_HASH))).toBe("limit");
});

test("one null, one odd double or a bad status does not spoil a column", () => {
  const sizeWith = (change: (sample: TelemetrySample, e: number) => TelemetrySample): number => {
    const events = slowSignals(300, 1).map((event, e) =>
      event.type === "telemetry" ? { ...event, data: { samples: event.data.samples.map((s) => change(s, e)) } } : event,
    );
    const bytes = encodeBlock(events, NO_HASH);
    expectSame(decodeBlock(bytes).events(), events);
    return bytes.length;
  };
  const plain = sizeWith((sample) => sample);
  expect(
    sizeWith((sample, e) => (e === 100 ? { ...sample, value: null, statusCode: 0x80320000 } : sample)),
  ).toBeLessThan(plain + 40);
  expect(sizeWith((sample, e) => (e === 100 ? { ...sample, value: Math.PI } : sample))).toBeLessThan(plain + 40);
  expect(sizeWith((sample, e) => (e === 100 ? { ...sample, value: "broken" } : sample))).toBeLessThan(plain + 40);
});

test("float32 decimals, scaled registers and 64-bit counters are as cheap as decimals", () => {
  const sizeOf = (value: (k: number) => SampleValue): number => {
    const events = Array.from({ length: 300 }, (_, e) => {
      const sample = {
        signal: "s",
        value: value(500 + ((e * 37) % 101)),
        statusCode: 0,
        sourceTimestampMs: null,
        serverTimestampMs: null,
        receivedTimestampMs: e,
      };
      return stored("m", e + 1, { type: "telemetry", timeMs: e, data: { samples: [sample] } });
    });
    const bytes = encodeBlock(events, NO_HASH);
    expectSame(decodeBlock(bytes).events(), events);
    return bytes.length;
  };
  const decimal = sizeOf((k) => k / 10);
  expect(sizeOf((k) => Math.fround(k / 10))).toBeLessThan(decimal * 1.3);
  expect(sizeOf((k) => k * 0.1)).toBeLessThan(decimal * 1.3);
  expect(sizeOf((k) => k * 0.0372)).toBeLessThan(decimal * 1.3);
  expect(sizeOf((k) => BigInt(k))).toBeLessThan(decimal * 1.3);
  expect(sizeOf((k) => BigInt(k) + 2n ** 63n)).toBeLessThan(decimal * 1.3);
});
