import { crc32 } from "node:zlib";
import fc from "fast-check";
import { expect, test } from "vitest";
import { anyEvents, FUZZ_RUNS, FUZZ_SEED } from "../../../test/support/any-events.ts";
import { polledFactory } from "../../../test/support/block-samples.ts";
import { decodeBlock, readBlockHead, verifyBlock } from "./block.ts";
import { encodeBlock } from "./block-builder.ts";
import { BlockError } from "./block-error.ts";
import { type FullHead, readFullHead, writeHead } from "./block-head.ts";
import { decodeColumn } from "./column-decoder.ts";
import { EVENTS_MAX, SAMPLES_MAX } from "./limits.ts";
import { RangeDecoder } from "./range-decoder.ts";

// Goal: whatever the bytes are, a decoder gives events or throws BlockError, soon.
// Method: good blocks of all kinds are cut, flipped and forged; forged ones get right checksums, so that the inner decoders see them.
const NO_HASH = new Uint8Array(16);
const MS_MAX = 2_000;

/** Everything that a decoder does. */
function readAll(bytes: Uint8Array): void {
  readBlockHead(bytes);
  verifyBlock(bytes);
  const block = decodeBlock(bytes);
  block.rareEvents();
  block.eventOffsets();
  for (const signal of block.signals) block.column(signal)?.values();
  block.events();
}

/** The code of the error, undefined when all could be read. */
function outcome(bytes: Uint8Array, read = readAll): string | undefined {
  const startMs = performance.now();
  try {
    read(bytes);
    return undefined;
  } catch (error) {
    if (!(error instanceof BlockError)) throw error;
    expect(error.hint).not.toBe("");
    return error.code;
  } finally {
    expect(performance.now() - startMs).toBeLessThan(MS_MAX);
  }
}

/** The block with its checksums put right, and its head changed. */
function mended(head: FullHead, body: Uint8Array, change: Partial<FullHead> = {}): Buffer {
  let at = 0;
  const sections = head.sections.map(({ bytes }) => {
    const section = { bytes, crc: crc32(body.subarray(at, at + bytes)) };
    at += bytes;
    return section;
  });
  return Buffer.concat([writeHead({ ...head, sections, ...change }), body]);
}

const factory = polledFactory(12).map((events) => encodeBlock(events, NO_HASH));
const anyBlock = fc.oneof(
  anyEvents.map((events) => encodeBlock(events, NO_HASH)),
  fc.constantFrom(...factory),
);
const anyFlips = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 4 });

test("a truncated block is known as such", () => {
  fc.assert(
    fc.property(anyBlock, fc.double({ min: 0, max: 1, noNaN: true }), (block, share) => {
      const cut = block.subarray(0, Math.floor((block.length - 1) * share));
      expect(outcome(cut)).toBe("truncated");
    }),
    { numRuns: FUZZ_RUNS, seed: FUZZ_SEED },
  );
});

test("a changed bit is found by a checksum", () => {
  fc.assert(
    fc.property(anyBlock, fc.nat(), fc.nat(7), (block, place, bit) => {
      const changed = Buffer.from(block);
      const at = place % block.length;
      changed[at] = (changed[at] as number) ^ (1 << bit);
      expect(outcome(changed)).toBeOneOf(["checksum", "version", "truncated", "malformed"]);
    }),
    { numRuns: FUZZ_RUNS, seed: FUZZ_SEED },
  );
});

test("a forged body with right checksums gives events or a BlockError", () => {
  fc.assert(
    fc.property(anyBlock, anyFlips, (block, flips) => {
      const head = readFullHead(block);
      const body = Buffer.from(block.subarray(head.headBytes));
      for (const [place, value] of flips) body[place % body.length] = value;
      outcome(mended(head, body));
    }),
    { numRuns: FUZZ_RUNS * 3, seed: FUZZ_SEED },
  );
});

test("a forged head gives events or a BlockError", () => {
  const count = fc.oneof(fc.nat(50), fc.nat(20_000), fc.constantFrom(EVENTS_MAX + 1, SAMPLES_MAX + 1, 2 ** 53 - 1));
  const change = fc.record(
    { events: count, samples: count, signals: count, firstSeq: count, firstOffset: count, lastOffset: count },
    { requiredKeys: [] },
  );
  fc.assert(
    fc.property(anyBlock, change, (block, fields) => {
      const head = readFullHead(block);
      outcome(mended(head, block.subarray(head.headBytes), fields));
    }),
    { numRuns: FUZZ_RUNS, seed: FUZZ_SEED },
  );
});

test("random bytes, also behind a right head, give a BlockError or events", () => {
  const bytes = fc.uint8Array({ maxLength: 300 });
  fc.assert(
    fc.property(bytes, fc.array(bytes, { minLength: 6, maxLength: 9 }), anyBlock, (noise, parts, block) => {
      expect(outcome(noise)).toBeDefined();
      const head = readFullHead(block);
      const sections = parts.map((part) => ({ bytes: part.length, crc: crc32(part) }));
      outcome(mended({ ...head, sections }, Buffer.concat(parts)));
    }),
    { numRuns: FUZZ_RUNS, seed: FUZZ_SEED },
  );
});

test("a column of random bytes gives values or a BlockError", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(3_000), fc.nat(7), (bytes, count, kind) => {
      // The first three bits are the column's kind.
      const forged = Uint8Array.from([(kind << 4) | ((bytes[0] ?? 0) & 0x0f), ...bytes]);
      outcome(forged, () => {
        const { numbers, others } = decodeColumn(new RangeDecoder(forged), count, {
          rawBytes: 100_000,
          elements: 10_000,
        });
        expect(numbers.length).toBe(count);
        if (others !== null) expect(others.length).toBe(count);
      });
    }),
    { numRuns: FUZZ_RUNS * 5, seed: FUZZ_SEED },
  );
});

test("a block that declares the most of everything in a few bytes is refused or read in bounded time", () => {
  const head = readFullHead(factory[0] as Buffer);
  for (const fill of [0, 0xff, 0x55]) {
    for (const events of [1_000, EVENTS_MAX]) {
      const parts = head.sections.map(() => new Uint8Array(64).fill(fill));
      const sections = parts.map((part) => ({ bytes: part.length, crc: crc32(part) }));
      const forged = mended({ ...head, sections, events, samples: SAMPLES_MAX, signals: 60_000 }, Buffer.concat(parts));
      expect(outcome(forged)).toBeDefined();
    }
  }
});

test("a text that unpacks to more than it declares is not unpacked", () => {
  const head = readFullHead(factory[0] as Buffer);
  const body = Buffer.from((factory[0] as Buffer).subarray(head.headBytes));
  const directoryAt = (head.sections[0]?.bytes ?? 0) + (head.sections[1]?.bytes ?? 0);
  // Behind the packing stands the number of raw bytes, here two bytes long.
  body[directoryAt + 1] = 0x90;
  body[directoryAt + 2] = 0x01;
  expect(outcome(mended(head, body))).toBe("malformed");
  body[directoryAt + 1] = 0xff;
  body[directoryAt + 2] = 0xff;
  expect(outcome(mended(head, body))).toBeOneOf(["limit", "malformed"]);
});
