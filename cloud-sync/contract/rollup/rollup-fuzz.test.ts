import { constants, zstdCompressSync, zstdDecompressSync } from "node:zlib";
import fc from "fast-check";
import { expect, test } from "vitest";
import { FUZZ_RUNS, FUZZ_SEED } from "../../../test/support/any-events.ts";
import { BlockError } from "../block/block-error.ts";
import { ByteWriter } from "../block/bytes.ts";
import { readRollup } from "./rollup.ts";
import { RollupBuilder } from "./rollup-builder.ts";

// Goal: whatever the bytes are, the decoder gives aggregates that can be, or throws BlockError; soon, and within its limits.
// Method: good roll-ups are cut, flipped and forged; forged ones are packed anew, so that the inner decoder sees them.
const MS_MAX = 2_000;
const parameters = { numRuns: FUZZ_RUNS, seed: FUZZ_SEED };

/** The code of the error, undefined when all could be read. */
function outcome(bytes: Uint8Array): string | undefined {
  const startMs = performance.now();
  try {
    for (const cells of readRollup(bytes).values()) {
      for (const { minute, count, min, max, mean } of cells) {
        const isSound = Number.isSafeInteger(minute) && Number.isSafeInteger(count) && count > 0;
        if (!isSound || !(min <= mean && mean <= max) || !Number.isFinite(min) || !Number.isFinite(max))
          throw new Error(`a minute that can't be: ${JSON.stringify({ minute, count, min, max, mean })}`);
      }
    }
    return undefined;
  } catch (error) {
    if (!(error instanceof BlockError)) throw error;
    return error.code;
  } finally {
    expect(performance.now() - startMs).toBeLessThan(MS_MAX);
  }
}

function packed(raw: Uint8Array, params: Record<number, number> = {}): Buffer {
  return zstdCompressSync(raw, { params: { [constants.ZSTD_c_checksumFlag]: 1, ...params } });
}

const anyRollup = fc
  .array(
    fc.record({
      signal: fc.nat(40),
      timeMs: fc.integer({ min: -3_000_000, max: 3_000_000 }),
      value: fc.oneof(
        fc.double({ noNaN: true }),
        fc.integer({ min: -9_999, max: 9_999 }).map((n) => n / 100),
      ),
    }),
    { minLength: 1, maxLength: 60 },
  )
  .map((readings) => {
    const builder = new RollupBuilder();
    builder.add(3, 0, 1.25, 0);
    for (const { signal, timeMs, value } of readings) builder.add(signal, timeMs, value, 0);
    return builder.finish() as Buffer;
  });

test("a cut roll-up is known as such", () => {
  fc.assert(
    fc.property(anyRollup, fc.double({ min: 0, max: 1, noNaN: true }), (rollup, share) => {
      expect(outcome(rollup.subarray(0, Math.floor((rollup.length - 1) * share)))).toBe("truncated");
    }),
    parameters,
  );
});

test("a changed bit is found, or changes nothing", () => {
  fc.assert(
    fc.property(anyRollup, fc.nat(), fc.nat(7), (rollup, place, bit) => {
      const changed = Buffer.from(rollup);
      const at = place % rollup.length;
      changed[at] = (changed[at] as number) ^ (1 << bit);
      if (outcome(changed) === undefined) expect(readRollup(changed)).toEqual(readRollup(rollup));
    }),
    parameters,
  );
});

test("any bytes, and any bytes in place of the content, give aggregates that can be or a BlockError", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      expect(outcome(bytes)).not.toBe(undefined);
      outcome(packed(bytes));
      outcome(packed(Buffer.concat([Buffer.from([1]), bytes])));
    }),
    parameters,
  );
});

test("forged content gives aggregates that can be or a BlockError", () => {
  let read = 0;
  const anyFlips = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(anyRollup, anyFlips, (rollup, flips) => {
      const raw = zstdDecompressSync(rollup);
      for (const [place, byte] of flips) raw[1 + (place % (raw.length - 1))] = byte;
      if (outcome(packed(raw)) === undefined) read++;
    }),
    parameters,
  );
  // Some forgeries must get past all checks, else this tests little.
  expect(read).toBeGreaterThan(0);
});

/** Content of one signal's cells, whose bytes are written as they are given. */
function forged(
  shapeOf: (shape: ByteWriter) => void,
  valuesOf: (values: ByteWriter) => void = () => undefined,
): Buffer {
  const [shape, values, out] = [new ByteWriter(), new ByteWriter(), new ByteWriter()];
  shapeOf(shape);
  valuesOf(values);
  out.u8(1);
  out.varint(shape.length);
  out.bytes(shape.take());
  out.bytes(values.take());
  return packed(out.take());
}

const numbers =
  (...all: number[]) =>
  (shape: ByteWriter): void => {
    for (const n of all) shape.varint(n);
  };

/** A zstd frame of one byte, 0, that asks for a window of so many bits (RFC 8878, 3.1.1.1.2). */
function windowed(bits: number): Buffer {
  const checksum = packed(Buffer.from([0])).subarray(-4);
  return Buffer.concat([Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x04, (bits - 10) << 3, 0x09, 0, 0, 0]), checksum]);
}

/** One signal with one cell. */
function cell(minute: number, count: number, form: number, valuesOf?: (values: ByteWriter) => void): Buffer {
  return forged((shape) => {
    for (const head of [1, 0, 1]) shape.varint(head);
    shape.zigzag(minute);
    shape.zigzag(count);
    shape.u8(form);
  }, valuesOf);
}

const five = (values: ByteWriter): void => values.zigzag(5);
const doubles =
  (min: number, max: number) =>
  (values: ByteWriter): void => {
    values.f64(min);
    values.f64(max);
    values.u16(7);
  };
const good = cell(1, 1, 0x11, five);

test.each<[string, Buffer, string | undefined]>([
  ["one cell, as it should be", good, undefined],
  ["a later version", packed(Buffer.from([2, 0])), "version"],
  ["no zstd frame", Buffer.from("TSBK and more"), "version"],
  ["no checksum", packed(zstdDecompressSync(good), { [constants.ZSTD_c_checksumFlag]: 0 }), "malformed"],
  ["bytes behind the frame", Buffer.concat([good, Buffer.from([0])]), "malformed"],
  ["a second frame", Buffer.concat([good, good]), "malformed"],
  ["a number too many", cell(1, 1, 0x11, (values) => values.u16(0)), "malformed"],
  ["no numbers", cell(1, 1, 0x11), "truncated"],
  ["a minute without a reading", cell(1, 0, 0x11, five), "malformed"],
  ["a minute of more readings than a block has", cell(1, 4_000_001, 0x11, five), "malformed"],
  ["a minute beyond all clocks", cell(2 ** 50 + 1, 1, 0x11, five), "malformed"],
  ["the last minute that may be", cell(-(2 ** 50), 1, 0x11, five), undefined],
  ["a mode that is none", cell(1, 1, 0x1f, five), "malformed"],
  ["bits that mean nothing", cell(1, 1, 0x31, five), "malformed"],
  ["k too large", cell(1, 1, 0x11, (values) => values.zigzag(2 ** 40)), "malformed"],
  ["numbers that are none", cell(1, 1, 0x00, doubles(Number.NaN, 1)), "malformed"],
  ["numbers without an end", cell(1, 1, 0x00, doubles(0, Number.POSITIVE_INFINITY)), "malformed"],
  ["lowest above highest", cell(1, 1, 0x00, doubles(2, 1)), "malformed"],
  ["lowest below highest", cell(1, 1, 0x00, doubles(1, 2)), undefined],
  ["more signals than a block has", forged((shape) => shape.varint(65_536)), "malformed"],
  ["signals that are not there", forged((shape) => shape.varint(65_535)), "truncated"],
  ["more cells than a roll-up may have", forged(numbers(1, 0, 1_000_001)), "limit"],
  ["cells that are not there", forged(numbers(1, 0, 1_000_000)), "truncated"],
  ["numbers of signals beyond 2^53", forged(numbers(2, 2 ** 53 - 2, 0, 5, 0)), "malformed"],
  ["8 MiB and a byte", packed(Buffer.alloc(8 * 1024 * 1024 + 1)), "limit"],
  ["8 MiB of zeros", packed(Buffer.alloc(8 * 1024 * 1024)), "version"],
  ["a window of 8 MiB", windowed(23), "version"],
  ["a window of 128 MiB", windowed(27), "limit"],
])("%s", (_, bytes, code) => {
  expect(outcome(bytes)).toBe(code);
});

test("an encoder may take mode 1, which ours never needs", () => {
  const bytes = cell(1, 2, 0x12, (values) => values.zigzag(2 ** 24 + 1));
  expect(readRollup(bytes).get(0)).toEqual([{ minute: 1, count: 2, min: 2 ** 24, max: 2 ** 24, mean: 2 ** 24 }]);
});

test("as many cells as there may be are read; the builder gives nothing rather than more", () => {
  const build = (cells: number): Buffer | undefined => {
    const builder = new RollupBuilder();
    for (let i = 0; i < cells; i++) builder.add(0, i * 60_000, 5, 0);
    return builder.finish();
  };
  const bytes = build(1_000_000) as Buffer;
  expect(bytes.length).toBeLessThan(10_000);
  expect(readRollup(bytes).get(0)).toHaveLength(1_000_000);
  expect(build(1_000_001)).toBe(undefined);
});

test("times that no clock shows are left out, and end", () => {
  const builder = new RollupBuilder();
  for (const timeMs of [Number.NaN, Number.POSITIVE_INFINITY, 1e300, -1e300]) builder.add(0, timeMs, 1, 0);
  expect(builder.finish()).toBe(undefined);
  builder.add(0, 60_000, 1, 0);
  expect(readRollup(builder.finish() as Buffer).get(0)).toEqual([{ minute: 1, count: 1, min: 1, max: 1, mean: 1 }]);
});
