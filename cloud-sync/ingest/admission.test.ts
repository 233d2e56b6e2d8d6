import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { FUZZ_RUNS, FUZZ_SEED } from "../../test/support/any-events.ts";
import { rangesOf } from "../store/seq-ranges.ts";
import { clippedTo, countOf, lessOf, unionOf } from "../store/seq-sets.ts";
import { SEQS_PER_PARTITION, type SeqRanges } from "../store/telemetry-document.ts";
import { admit, perPartition } from "./admission.ts";
import { admittedDocument, encodeRanges, readAdmitted } from "./admitted-document.ts";

const seqsOf = (ranges: SeqRanges): number[] =>
  ranges.flatMap(([first, last]) => Array.from({ length: last - first + 1 }, (_, i) => first + i));
const anySet = fc
  .uniqueArray(fc.integer({ min: 0, max: 60 }), { maxLength: 40 })
  .map((seqs) => seqs.sort((a, b) => a - b));
const runs = { numRuns: FUZZ_RUNS, seed: FUZZ_SEED };

test("sets of ranges are what sets of numbers are", () => {
  fc.assert(
    fc.property(anySet, anySet, fc.nat(60), fc.nat(60), (a, b, x, y) => {
      const [left, right] = [rangesOf(a), rangesOf(b)];
      const all = [...new Set([...a, ...b])].sort((p, q) => p - q);
      expect(unionOf(left, right)).toEqual(rangesOf(all));
      expect(lessOf(left, right)).toEqual(rangesOf(a.filter((seq) => !b.includes(seq))));
      const [first, last] = [Math.min(x, y), Math.max(x, y)];
      expect(clippedTo(left, first, last)).toEqual(rangesOf(a.filter((seq) => seq >= first && seq <= last)));
      expect(countOf(left)).toBe(a.length);
    }),
    runs,
  );
});

test("P08 whatever comes in which order and how often: each seq is admitted once", () => {
  fc.assert(
    fc.property(fc.array(fc.array(anySet, { maxLength: 4 }), { maxLength: 8 }), (batches) => {
      let known: SeqRanges = [];
      const taken: number[] = [];
      for (const batch of batches) {
        const { fresh, admitted } = admit(
          known,
          batch.map((seqs) => ({ seqs: rangesOf(seqs) })),
        );
        for (const { offer, seqs } of fresh) {
          expect(seqs.length).toBeGreaterThan(0);
          expect(lessOf(seqs, offer.seqs)).toEqual([]);
          taken.push(...seqsOf(seqs));
        }
        known = admitted;
      }
      const all = [...new Set(batches.flat(2))].sort((a, b) => a - b);
      expect(taken.toSorted((a, b) => a - b)).toEqual(all);
      expect(known).toEqual(rangesOf(all));
    }),
    runs,
  );
});

test("a run is cut where partitions begin", () => {
  const edge = SEQS_PER_PARTITION;
  expect(perPartition(edge - 2, edge - 1)).toEqual([[edge - 2, edge - 1]]);
  expect(perPartition(edge - 2, edge)).toEqual([
    [edge - 2, edge - 1],
    [edge, edge],
  ]);
  expect(perPartition(1, 3 * edge)).toHaveLength(4);
});

describe("the document of what is admitted", () => {
  const start = { epoch: "e", machineId: "m", baseSeq: 7 * SEQS_PER_PARTITION };
  const stored = (ranges: SeqRanges) => ({
    ...admittedDocument(start, ranges),
    partition: { stream: "m", part: "e/7" },
    etag: "1",
    storedMs: 0,
  });

  test("gives back the ranges", () => {
    fc.assert(
      fc.property(anySet, fc.nat(SEQS_PER_PARTITION - 61), (seqs, shift) => {
        const ranges = rangesOf(seqs.map((seq) => start.baseSeq + shift + seq));
        expect(readAdmitted(stored(ranges), start.baseSeq)).toEqual(ranges);
      }),
      runs,
    );
  });

  test("stays within 32 KB in the worst case: every other seq is missing", () => {
    const ranges = Array.from({ length: SEQS_PER_PARTITION / 2 }, (_, i): [number, number] => {
      const seq = start.baseSeq + i * 2 + 1;
      return [seq, seq];
    });
    const document = stored(ranges);
    expect(document.body?.length).toBe(1 + SEQS_PER_PARTITION / 8);
    expect(readAdmitted(document, start.baseSeq)).toEqual(ranges);
    const whole: SeqRanges = [[start.baseSeq, start.baseSeq + SEQS_PER_PARTITION - 1]];
    expect(unionOf(ranges, rangesOf(ranges.map(([seq]) => seq - 1)))).toEqual(whole);
    expect(encodeRanges(whole, start.baseSeq).length).toBeLessThan(8);
  });

  test("that was altered in the store is refused, not taken for empty", () => {
    const good = stored([[start.baseSeq, start.baseSeq + 9]]);
    for (const bad of [
      { ...good, kind: "block" },
      { ...good, body: Buffer.from([9]) },
      { ...good, body: Buffer.from([0, 1]) },
      { ...good, fields: { ...good.fields, events: 3 } },
    ])
      expect(() => readAdmitted(bad, start.baseSeq)).toThrow(/cannot be read/);
  });
});
