import type { SignalSet } from "../state/signal-sets.ts";

export const SPANS = { minute: 60_000, hour: 3_600_000 } as const;
export type Span = keyof typeof SPANS;

/** Aggregates of all signals of a machine over one minute or hour. */
export class Cell {
  readonly machineId: string;
  readonly span: Span;
  /** Number of the minute or hour since 1970, UTC. */
  readonly at: number;
  set: SignalSet;
  counts: Float64Array;
  bad: Float64Array;
  minima: Float64Array;
  maxima: Float64Array;
  sums: Float64Array;

  constructor(machineId: string, span: Span, at: number, set: SignalSet) {
    this.machineId = machineId;
    this.span = span;
    this.at = at;
    this.set = set;
    const size = set.names.length;
    this.counts = new Float64Array(size);
    this.bad = new Float64Array(size);
    this.minima = new Float64Array(size).fill(Number.POSITIVE_INFINITY);
    this.maxima = new Float64Array(size).fill(Number.NEGATIVE_INFINITY);
    this.sums = new Float64Array(size);
  }

  /** Elements of arrays. */
  get weight(): number {
    return 20 + this.counts.length * 5;
  }

  /** Follows a newer set: it begins with the names of the one before. */
  follow(set: SignalSet): void {
    if (set.setNo <= this.set.setNo) return;
    const larger = new Cell(this.machineId, this.span, this.at, set);
    for (const name of ["counts", "bad", "minima", "maxima", "sums"] as const) {
      larger[name].set(this[name]);
      this[name] = larger[name];
    }
    this.set = set;
  }

  /** @param value finite */
  add(signal: number, value: number): void {
    this.counts[signal] = (this.counts[signal] as number) + 1;
    this.sums[signal] = (this.sums[signal] as number) + value;
    if (value < (this.minima[signal] as number)) this.minima[signal] = value;
    if (value > (this.maxima[signal] as number)) this.maxima[signal] = value;
  }

  addBad(signal: number): void {
    this.bad[signal] = (this.bad[signal] as number) + 1;
  }
}
