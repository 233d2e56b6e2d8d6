/**
 * The loss ledger: what became of every seq that a stream gave out, as ranges without holes. Two parties (the box, the
 * cloud, a backup) that compare theirs can say exactly which events both have, which are missing where, and why.
 */

/**
 * fresh: here, not sealed yet. sealed: here, in a block. thinned: only one-minute aggregates. forwarded: dropped after the
 * cloud had it. shed, expired: dropped by quota, by age. corrupt: damaged, set aside. lost: nobody knows.
 */
export const LEDGER_STATES = ["fresh", "sealed", "thinned", "forwarded", "shed", "expired", "corrupt", "lost"] as const;
export type LedgerState = (typeof LEDGER_STATES)[number];

export interface LedgerRange {
  readonly epoch: string;
  readonly machineId: string;
  /** Both included. */
  readonly firstSeq: number;
  readonly lastSeq: number;
  readonly state: LedgerState;
  /** Readings in the range. */
  readonly samples: number;
  /** UTC epoch ms of its events. */
  readonly fromMs: number;
  readonly toMs: number;
  /** Hash of the block that ends before the range and of the range's last block, hexadecimal; "" where there is none. */
  readonly previousHash: string;
  readonly hash: string;
}

export interface LedgerDifference {
  readonly epoch: string;
  readonly machineId: string;
  readonly firstSeq: number;
  readonly lastSeq: number;
  /** missing: ours is here, theirs is not. unknown: theirs is here, ours never was. altered: the same block, other bytes. */
  readonly kind: "missing" | "unknown" | "altered";
  /** What became of it on the side that does not have it; undefined when that side has not heard of it. */
  readonly why: LedgerState | undefined;
}

const HERE: ReadonlySet<LedgerState> = new Set(["fresh", "sealed"]);

/** Says what is wrong within one ledger: holes, overlaps, and blocks that do not follow on each other; empty when nothing is. */
export function ledgerFaults(ranges: readonly LedgerRange[]): string[] {
  const faults: string[] = [];
  for (const [machineId, own] of Map.groupBy(ranges, (range) => range.machineId)) {
    let last: LedgerRange | undefined;
    let expected = 1;
    for (const range of own.toSorted((a, b) => a.firstSeq - b.firstSeq)) {
      const name = `${machineId} ${range.firstSeq}–${range.lastSeq}`;
      if (range.firstSeq > expected) faults.push(`${machineId} ${expected}–${range.firstSeq - 1}: nobody knows`);
      if (range.firstSeq < expected) faults.push(`${name}: is here twice, from ${range.firstSeq} on`);
      const isChained = last !== undefined && last.hash !== "" && range.previousHash !== "";
      if (isChained && last?.hash !== range.previousHash)
        faults.push(`${name}: does not follow on the block before it`);
      last = range;
      expected = Math.max(expected, range.lastSeq + 1);
    }
  }
  return faults;
}

/** What the other side should get or explain. Both are ledgers of the same log; ranges may be cut differently. */
export function compareLedgers(ours: readonly LedgerRange[], theirs: readonly LedgerRange[]): LedgerDifference[] {
  const keyOf = ({ epoch, machineId }: LedgerRange): string => `${epoch}/${machineId}`;
  const here = Map.groupBy(ours, keyOf);
  const there = Map.groupBy(theirs, keyOf);
  const differences: LedgerDifference[] = [];
  for (const key of new Set([...here.keys(), ...there.keys()])) {
    const a = here.get(key) ?? [];
    const b = there.get(key) ?? [];
    differences.push(...holes(a, b, "missing"), ...holes(b, a, "unknown"), ...altered(a, b));
  }
  return differences.sort((x, y) =>
    x.machineId < y.machineId ? -1 : x.machineId > y.machineId ? 1 : x.firstSeq - y.firstSeq,
  );
}

/** Where `has` is here and `lacks` is not. */
function holes(
  has: readonly LedgerRange[],
  lacks: readonly LedgerRange[],
  kind: "missing" | "unknown",
): LedgerDifference[] {
  const found: LedgerDifference[] = [];
  const other = lacks.toSorted((a, b) => a.firstSeq - b.firstSeq);
  let begin = 0;
  for (const { epoch, machineId, firstSeq, lastSeq, state } of has.toSorted((a, b) => a.firstSeq - b.firstSeq)) {
    while ((other[begin]?.lastSeq ?? firstSeq) < firstSeq) begin++;
    if (!HERE.has(state)) continue;
    let seq = firstSeq;
    const add = (last: number, why: LedgerState | undefined): void => {
      if (last >= seq) found.push({ epoch, machineId, firstSeq: seq, lastSeq: last, kind, why });
      seq = Math.max(seq, last + 1);
    };
    for (let at = begin; at < other.length; at++) {
      const range = other[at] as LedgerRange;
      if (range.firstSeq > lastSeq) break;
      if (range.lastSeq < seq || seq > lastSeq) continue;
      add(range.firstSeq - 1, undefined);
      if (HERE.has(range.state)) seq = Math.max(seq, range.lastSeq + 1);
      else add(Math.min(range.lastSeq, lastSeq), range.state);
    }
    add(lastSeq, undefined);
  }
  return found;
}

function altered(ours: readonly LedgerRange[], theirs: readonly LedgerRange[]): LedgerDifference[] {
  // What is no longer here on one side is missing there, whatever hash it had.
  const here = theirs.filter(({ state }) => HERE.has(state));
  const hashes = new Map(here.map(({ firstSeq, lastSeq, hash }) => [`${firstSeq}-${lastSeq}`, hash]));
  return ours.flatMap(({ epoch, machineId, firstSeq, lastSeq, hash, state }) => {
    const other = hashes.get(`${firstSeq}-${lastSeq}`) ?? "";
    if (!HERE.has(state) || hash === "" || other === "" || other === hash) return [];
    return [{ epoch, machineId, firstSeq, lastSeq, kind: "altered" as const, why: undefined }];
  });
}

/** Keeps a ledger of blocks as they arrive, in any order and any number of times; what a receiving side uses. */
export class LedgerBuilder {
  readonly #ranges = new Map<string, LedgerRange>();
  /** Blocks that arrived again. */
  duplicates = 0;

  add(range: LedgerRange): void {
    const key = `${range.epoch}/${range.machineId}/${range.firstSeq}`;
    const known = this.#ranges.get(key);
    if (known && known.lastSeq >= range.lastSeq) this.duplicates++;
    else this.#ranges.set(key, range);
  }

  ranges(): LedgerRange[] {
    return [...this.#ranges.values()].sort((a, b) =>
      a.machineId === b.machineId ? a.firstSeq - b.firstSeq : a.machineId < b.machineId ? -1 : 1,
    );
  }
}
