import { crc32, zstdCompressSync } from "node:zlib";
import fc from "fast-check";
import { expect, test } from "vitest";
import { FUZZ_RUNS, FUZZ_SEED } from "../../../test/support/any-events.ts";
import { ByteWriter } from "../block/bytes.ts";
import { RollupBuilder } from "../rollup/rollup-builder.ts";
import { encodeFrame, FRAME_CONTENT_TYPE } from "./frame.ts";
import { FrameError } from "./frame-error.ts";
import { decodeMessage } from "./message.ts";
import type { ReceivedRollup } from "./received-rollup.ts";
import type { RollupPart } from "./rollup-part.ts";

const RANGE = {
  epoch: "e1",
  machineId: "redmond/mill-01",
  firstSeq: 12,
  lastSeq: 40,
  firstOffset: 100,
  lastOffset: 900,
};
const parameters = { seed: FUZZ_SEED, numRuns: FUZZ_RUNS };

function received(...parts: RollupPart[]): readonly ReceivedRollup[] {
  const body = encodeFrame(parts.map((rollup) => ({ kind: "rollup", rollup })));
  return decodeMessage({ contentType: FRAME_CONTENT_TYPE, body }).rollups;
}

function codeOf(run: () => unknown): string | undefined {
  try {
    run();
    return undefined;
  } catch (error) {
    if (!(error instanceof FrameError)) throw error;
    return error.code;
  }
}

const aggregatesOf = (...signals: number[]): Buffer => {
  const builder = new RollupBuilder();
  for (const signal of signals) builder.add(signal, 60_000, signal + 0.5, 0);
  return builder.finish() as Buffer;
};

// Goal: who has the message alone knows of each signal, by name, what its readings were, minute by minute.
test("a roll-up says of each signal and minute what its readings say, and how many it leaves out", () => {
  const names = ["temperature", "spindle.speed", "", "load"];
  const anyReading = fc.record({
    signal: fc.constantFrom(0, 1, 3),
    // A clock that jumps to and fro: minutes come in any order, and again.
    minute: fc.integer({ min: 0, max: 5 }),
    value: fc.oneof(fc.integer({ min: -99, max: 99 }), fc.constant(Number.NaN)),
    statusCode: fc.constantFrom(0, 0x4000_0000, 0x8000_0000),
  });
  fc.assert(
    fc.property(fc.array(anyReading, { maxLength: 60 }), (readings) => {
      const builder = new RollupBuilder();
      for (const { signal, minute, value, statusCode } of readings)
        builder.add(signal, minute * 60_000 + 1, value, statusCode);
      const [rollup] = received({ ...RANGE, names, samples: readings.length, aggregates: builder.finish() });
      const { minutes, counted, uncounted } = (rollup as ReceivedRollup).content();
      const good = readings.filter(({ value, statusCode }) => !Number.isNaN(value) && statusCode < 0x8000_0000);
      expect([counted, uncounted]).toEqual([good.length, readings.length - good.length]);
      const said = [...minutes].map(([name, own]) => [name, own.map(({ mean: _, ...rest }) => rest)]);
      const wanted = [...Map.groupBy(good, ({ signal }) => signal)].map(([signal, own]) => [
        names[signal],
        [...Map.groupBy(own, ({ minute }) => minute)]
          .sort(([a], [b]) => a - b)
          .map(([minute, all]) => {
            const values = all.map(({ value }) => value);
            return { minute, count: all.length, min: Math.min(...values), max: Math.max(...values) };
          }),
      ]);
      expect(new Map(said as [string, unknown][])).toEqual(new Map(wanted as [string, unknown][]));
    }),
    parameters,
  );
});

test("one of which nothing could be aggregated says how many readings there were", () => {
  const [rollup] = received({ ...RANGE, names: [], samples: 7, aggregates: undefined });
  expect(rollup?.content()).toEqual({ minutes: new Map(), counted: 0, uncounted: 7 });
});

test.each<[string, Partial<RollupPart>]>([
  ["a signal without a name", { aggregates: aggregatesOf(0, 2) }],
  ["two signals of one name", { names: ["a", "a"], aggregates: aggregatesOf(0, 1) }],
  ["more readings counted than there were", { samples: 1, aggregates: aggregatesOf(0, 1) }],
  ["no roll-up in its place", { aggregates: zstdCompressSync(Buffer.from("no")) }],
])("%s: the message is read, the roll-up is malformed", (_, change) => {
  const part = { ...RANGE, names: ["a", "b"], samples: 9, aggregates: aggregatesOf(0, 1) };
  expect(received(part)[0]?.content().counted).toBe(2);
  const [rollup] = received({ ...part, ...change });
  expect(rollup?.machineId).toBe("redmond/mill-01");
  expect(codeOf(() => rollup?.content())).toBe("malformed");
});

test.each<[string, Partial<RollupPart>]>([
  ["a range that ends before it begins", { firstSeq: 41 }],
  ["offsets that end before they begin", { firstOffset: 901 }],
  ["more events than a block has", { lastSeq: 1_000_012 }],
  ["more readings than a block has", { samples: 4_000_001 }],
  ["more signals than a block has", { names: Array.from({ length: 65_536 }, () => "") }],
])("%s: no such roll-up is received", (_, change) => {
  expect(codeOf(() => received({ ...RANGE, names: [], samples: 1, aggregates: undefined, ...change }))).toBe(
    "malformed",
  );
});

// A few hundred bytes may declare 16 MiB of names; a frame of such parts must not take the memory of all of them.
test.each<[string, readonly string[], number]>([
  ["long names", ["x".repeat(15_000_000)], 10],
  ["many names", Array.from({ length: 65_000 }, () => ""), 20],
])("a frame of roll-ups with %s is refused before it has taken much", (_, names, parts) => {
  const part = { ...RANGE, names, samples: 1, aggregates: undefined };
  expect(received(part, part)).toHaveLength(2);
  expect(codeOf(() => received(...Array.from({ length: parts }, () => part)))).toBe("limit");
});

test("any bytes in place of a roll-up, with true checksums, give roll-ups or a FrameError", () => {
  const good = encodeFrame([
    { kind: "rollup", rollup: { ...RANGE, names: ["a", "b"], samples: 9, aggregates: aggregatesOf(0, 1) } },
  ]);
  const own = good.subarray(good.length - partBytes(good));
  expect(codeOf(() => readAll(framed(own)))).toBe(undefined);
  const anyFlips = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 3 });
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), anyFlips, (bytes, flips) => {
      codeOf(() => readAll(framed(bytes)));
      const changed = Buffer.from(own);
      for (const [place, byte] of flips) changed[place % changed.length] = byte;
      codeOf(() => readAll(framed(changed)));
    }),
    parameters,
  );
});

function readAll(body: Uint8Array): void {
  for (const rollup of decodeMessage({ contentType: FRAME_CONTENT_TYPE, body }).rollups) rollup.content();
}

/** Length of the only part of a frame, which is shorter than 128 bytes or takes two to tell. */
function partBytes(frame: Buffer): number {
  const [low, high] = [frame[11] as number, frame[12] as number];
  return low < 0x80 ? low : (low & 0x7f) + high * 0x80;
}

/** A frame with these bytes as its only roll-up. */
function framed(bytes: Uint8Array): Buffer {
  const head = new ByteWriter();
  head.varint(1);
  head.u8(2);
  head.varint(bytes.length);
  head.u32(crc32(bytes));
  const out = new ByteWriter();
  out.u32(0x5246_5354);
  out.u8(1);
  out.u32(9 + head.length + 4 + bytes.length);
  out.bytes(head.take());
  out.u32(crc32(out.take()));
  out.bytes(bytes);
  return out.take();
}
