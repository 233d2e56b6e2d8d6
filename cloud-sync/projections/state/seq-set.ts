/** Where the ranges of a stream are too many, those of the lowest seqs are forgotten. */
const RANGES_MAX = 10_000;

/** Seqs as ranges, ascending, not touching each other. */
export class SeqSet {
  readonly #firsts: number[] = [];
  readonly #lasts: number[] = [];
  readonly #rangesMax: number;

  constructor(rangesMax = RANGES_MAX) {
    this.#rangesMax = rangesMax;
  }

  /** @param flat first and last of each range, one behind the other, as `flat()` gives them */
  static of(flat: ArrayLike<number>, rangesMax?: number): SeqSet {
    const set = new SeqSet(rangesMax);
    for (let i = 0; i + 1 < flat.length; i += 2) set.add(flat[i] as number, flat[i + 1] as number);
    return set;
  }

  get ranges(): number {
    return this.#firsts.length;
  }

  /** How many seqs there are. */
  get count(): number {
    let count = 0;
    for (let i = 0; i < this.#firsts.length; i++) count += (this.#lasts[i] as number) - (this.#firsts[i] as number) + 1;
    return count;
  }

  has(seq: number): boolean {
    const at = this.#before(seq);
    return at >= 0 && seq <= (this.#lasts[at] as number);
  }

  add(first: number, last: number): void {
    // Nearly always a stream goes on where it ended.
    const end = this.#lasts.length - 1;
    if (end >= 0 && first === (this.#lasts[end] as number) + 1) {
      this.#lasts[end] = last;
      return;
    }
    let from = this.#before(first);
    if (from < 0 || (this.#lasts[from] as number) < first - 1) from++;
    let to = from;
    let [low, high] = [first, last];
    while (to < this.#firsts.length && (this.#firsts[to] as number) <= last + 1) {
      low = Math.min(low, this.#firsts[to] as number);
      high = Math.max(high, this.#lasts[to] as number);
      to++;
    }
    this.#firsts.splice(from, to - from, low);
    this.#lasts.splice(from, to - from, high);
    const excess = this.#firsts.length - this.#rangesMax;
    if (excess > 0) {
      this.#firsts.splice(0, excess);
      this.#lasts.splice(0, excess);
    }
  }

  /** The parts of a range that are not here. */
  *missing(first: number, last: number): Generator<[number, number], void, undefined> {
    let from = first;
    for (let at = Math.max(0, this.#before(first)); at < this.#firsts.length; at++) {
      const [low, high] = [this.#firsts[at] as number, this.#lasts[at] as number];
      if (low > last) break;
      if (high < from) continue;
      if (low > from) yield [from, low - 1];
      from = high + 1;
    }
    if (from <= last) yield [from, last];
  }

  *[Symbol.iterator](): Generator<[number, number], void, undefined> {
    for (let i = 0; i < this.#firsts.length; i++) yield [this.#firsts[i] as number, this.#lasts[i] as number];
  }

  flat(): number[] {
    return [...this].flat();
  }

  /** Index of the last range that begins at or before a seq; -1 when none does. */
  #before(seq: number): number {
    let low = 0;
    let high = this.#firsts.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#firsts[middle] as number) <= seq) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }
}
