import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { compareLedgers, LedgerBuilder, type LedgerRange, type LedgerState, ledgerFaults } from "./ledger.ts";

// The model: a ledger is a map from every single seq to its state.
const STATES: readonly LedgerState[] = [
  "fresh",
  "sealed",
  "thinned",
  "forwarded",
  "shed",
  "expired",
  "corrupt",
  "lost",
];
const isHere = (state: LedgerState | undefined): boolean => state === "fresh" || state === "sealed";

function rangeOf(rest: Partial<LedgerRange> & { firstSeq: number; lastSeq: number }): LedgerRange {
  return {
    epoch: "e1",
    machineId: "a/1",
    state: "sealed",
    samples: 1,
    fromMs: 1,
    toMs: 2,
    previousHash: "",
    hash: "",
    ...rest,
  };
}

/** A ledger of one stream without holes: pieces of some length in some state. */
function anyStream(machineId: string, epoch: string): fc.Arbitrary<LedgerRange[]> {
  const piece = fc.record({ length: fc.integer({ min: 1, max: 9 }), state: fc.constantFrom(...STATES) });
  return fc.array(piece, { maxLength: 12 }).map((pieces) => {
    let next = 1;
    return pieces.map(({ length, state }) => {
      const range = rangeOf({ machineId, epoch, firstSeq: next, lastSeq: next + length - 1, state });
      next += length;
      return range;
    });
  });
}

const anyLedger = fc
  .tuple(anyStream("a/1", "e1"), anyStream("a/2", "e1"), anyStream("a/1", "e2"))
  .map((streams) => streams.flat());

/** Cut anew and in any order, which must make no difference. */
const recut = (ledger: readonly LedgerRange[], cuts: readonly number[]): LedgerRange[] =>
  ledger
    .flatMap((range) => {
      const length = range.lastSeq - range.firstSeq + 1;
      const at = range.firstSeq + ((cuts[range.firstSeq % Math.max(1, cuts.length)] ?? 0) % length);
      if (at === range.firstSeq) return [range];
      return [
        { ...range, lastSeq: at - 1 },
        { ...range, firstSeq: at },
      ];
    })
    .toReversed();

function statesOf(ledger: readonly LedgerRange[]): Map<string, LedgerState> {
  const states = new Map<string, LedgerState>();
  for (const { epoch, machineId, firstSeq, lastSeq, state } of ledger)
    for (let seq = firstSeq; seq <= lastSeq; seq++) states.set(`${epoch} ${machineId} ${seq}`, state);
  return states;
}

describe("compareLedgers", () => {
  test("P03 says of every single event who lacks it and why, however the ranges are cut", () => {
    fc.assert(
      fc.property(anyLedger, anyLedger, fc.array(fc.nat(8), { maxLength: 5 }), (ours, theirs, cuts) => {
        const [a, b] = [statesOf(ours), statesOf(theirs)];
        const expected = new Map<string, string>();
        for (const key of new Set([...a.keys(), ...b.keys()])) {
          if (isHere(a.get(key)) && !isHere(b.get(key))) expected.set(key, `missing ${b.get(key)}`);
          if (isHere(b.get(key)) && !isHere(a.get(key))) expected.set(key, `unknown ${a.get(key)}`);
        }
        const found = new Map<string, string>();
        for (const { epoch, machineId, firstSeq, lastSeq, kind, why } of compareLedgers(recut(ours, cuts), theirs)) {
          for (let seq = firstSeq; seq <= lastSeq; seq++) {
            const key = `${epoch} ${machineId} ${seq}`;
            expect({ key, twice: found.has(key) }).toEqual({ key, twice: false });
            found.set(key, `${kind} ${why}`);
          }
        }
        expect([...found].sort()).toEqual([...expected].sort());
      }),
      { numRuns: 300 },
    );
  });

  test("a ledger compared with itself, cut anew, has no difference; swapping the sides swaps what is missing", () => {
    fc.assert(
      fc.property(anyLedger, anyLedger, fc.array(fc.nat(8), { maxLength: 5 }), (ours, theirs, cuts) => {
        expect(compareLedgers(ours, recut(ours, cuts))).toEqual([]);
        const seqs = (kind: string, differences: ReturnType<typeof compareLedgers>): string[] =>
          differences
            .filter((each) => each.kind === kind)
            .map(
              ({ epoch, machineId, firstSeq, lastSeq, why }) => `${epoch} ${machineId} ${firstSeq} ${lastSeq} ${why}`,
            )
            .sort();
        expect(seqs("missing", compareLedgers(ours, theirs))).toEqual(seqs("unknown", compareLedgers(theirs, ours)));
      }),
    );
  });

  test("the same range with other bytes is altered; one without a hash is not compared", () => {
    const ours = rangeOf({ firstSeq: 1, lastSeq: 5, hash: "aa" });
    const altered = { kind: "altered", firstSeq: 1, lastSeq: 5, why: undefined, epoch: "e1", machineId: "a/1" };
    expect(compareLedgers([ours], [{ ...ours, hash: "bb" }])).toEqual([altered]);
    expect(compareLedgers([ours], [{ ...ours, hash: "" }])).toEqual([]);
    expect(compareLedgers([ours], [{ ...ours, hash: "bb", state: "shed" }])).toMatchObject([
      { kind: "missing", why: "shed" },
    ]);
  });

  test("thousands of ranges are compared within a second", () => {
    const ledger = Array.from({ length: 20_000 }, (_, i) => rangeOf({ firstSeq: i * 10 + 1, lastSeq: i * 10 + 10 }));
    const beganMs = performance.now();
    const theirs = ledger.map((range, i) => (i % 1_000 === 7 ? { ...range, state: "shed" as const } : range));
    expect(compareLedgers(ledger, theirs)).toHaveLength(20);
    expect(performance.now() - beganMs).toBeLessThan(1_000);
  });
});

describe("ledgerFaults", () => {
  test("P03 finds every seq that is there twice or not at all, and nothing else", () => {
    const anyPieces = fc.array(
      fc.record({ first: fc.integer({ min: 1, max: 40 }), length: fc.integer({ min: 1, max: 12 }) }),
      { minLength: 1, maxLength: 8 },
    );
    fc.assert(
      fc.property(anyPieces, (pieces) => {
        const counts = new Map<number, number>();
        for (const { first, length } of pieces)
          for (let seq = first; seq < first + length; seq++) counts.set(seq, (counts.get(seq) ?? 0) + 1);
        const last = Math.max(...counts.keys());
        const isGood = Array.from({ length: last }, (_, i) => counts.get(i + 1)).every((count) => count === 1);
        const faults = ledgerFaults(
          pieces.map(({ first, length }) => rangeOf({ firstSeq: first, lastSeq: first + length - 1 })),
        );
        expect(faults.length === 0).toBe(isGood);
        const holes = faults.flatMap((fault) => {
          const match = /^a\/1 (\d+)–(\d+): nobody knows$/.exec(fault);
          return match ? [[Number(match[1]), Number(match[2])]] : [];
        });
        const missing = Array.from({ length: last }, (_, i) => i + 1).filter((seq) => !counts.has(seq));
        expect(holes.flatMap(([a = 0, b = 0]) => Array.from({ length: b - a + 1 }, (_, i) => a + i))).toEqual(missing);
      }),
    );
  });

  test("blocks must follow on each other, where both hashes are known", () => {
    const first = rangeOf({ firstSeq: 1, lastSeq: 5, hash: "aa" });
    const next = rangeOf({ firstSeq: 6, lastSeq: 9, previousHash: "aa", hash: "bb" });
    expect(ledgerFaults([next, first])).toEqual([]);
    expect(ledgerFaults([first, { ...next, previousHash: "ab" }])).toEqual([
      "a/1 6–9: does not follow on the block before it",
    ]);
    expect(ledgerFaults([first, { ...next, previousHash: "" }])).toEqual([]);
  });
});

describe("LedgerBuilder", () => {
  test("blocks in any order, any number of times, give the same ledger", () => {
    fc.assert(
      fc.property(anyLedger, fc.infiniteStream(fc.nat(1_000)), (ledger, picks) => {
        const blocks = ledger.filter(({ state }) => state === "sealed");
        const arriving = [...blocks, ...blocks.filter(() => picks.next().value % 3 === 0)]
          .map((block) => ({ block, at: picks.next().value }))
          .sort((a, b) => a.at - b.at)
          .map(({ block }) => block);
        const builder = new LedgerBuilder();
        for (const block of arriving) builder.add(block);
        expect(builder.duplicates).toBe(arriving.length - blocks.length);
        expect([...statesOf(builder.ranges())].sort()).toEqual([...statesOf(blocks)].sort());
        expect(compareLedgers(blocks, builder.ranges())).toEqual([]);
      }),
    );
  });
});
