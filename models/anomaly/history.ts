/** Numbers per signal in the scalar column. */
const RECENT_COUNT = 0;
const RECENT_AT = 1;
const EARLIER_COUNT = 2;
const EARLIER_AT = 3;
const SKIPPED = 4;
const SORTED = 5;
const SCALARS = 6;

export interface HistoryShape {
  readonly recent: number;
  readonly earlier: number;
  readonly stride: number;
}

/**
 * What each signal of a machine has been lately: its last readings one by one, and one of `stride` of those before; and all of them in
 * the order of size. Flat arrays, a run for each signal.
 */
export class History {
  readonly #shape: HistoryShape;
  readonly #size: number;
  #scalars = new Float64Array(0);
  /** recent, then earlier. */
  #readings = new Float64Array(0);
  #sorted = new Float64Array(0);

  /** Numbers of each array per signal. */
  readonly scalarsEach = SCALARS;
  readonly readingsEach: number;

  constructor(shape: HistoryShape) {
    this.readingsEach = shape.recent + shape.earlier;
    this.#shape = shape;
    this.#size = shape.recent + shape.earlier;
  }

  /** Makes room for so many signals; those that are there stay. */
  resize(signals: number): void {
    const grown = { scalars: signals * SCALARS, readings: signals * this.#size };
    if (grown.scalars <= this.#scalars.length) return;
    const [scalars, readings, sorted] = [this.#scalars, this.#readings, this.#sorted];
    this.#scalars = new Float64Array(grown.scalars);
    this.#readings = new Float64Array(grown.readings);
    this.#sorted = new Float64Array(grown.readings);
    this.#scalars.set(scalars);
    this.#readings.set(readings);
    this.#sorted.set(sorted);
  }

  count(slot: number): number {
    return this.#scalar(slot * SCALARS + SORTED);
  }

  /** The rank-th smallest, from 0. */
  ranked(slot: number, rank: number): number {
    return this.#sorted[slot * this.#size + rank] as number;
  }

  add(slot: number, value: number): void {
    const { recent } = this.#shape;
    const at = slot * SCALARS;
    const base = slot * this.#size;
    const position = this.#scalar(at + RECENT_AT);
    if (this.#scalar(at + RECENT_COUNT) < recent)
      this.#scalars[at + RECENT_COUNT] = this.#scalar(at + RECENT_COUNT) + 1;
    else this.#retire(slot, this.#readings[base + position] as number);
    this.#readings[base + position] = value;
    this.#scalars[at + RECENT_AT] = (position + 1) % recent;
    this.#insert(slot, value);
  }

  clear(slot: number): void {
    this.#scalars.fill(0, slot * SCALARS, (slot + 1) * SCALARS);
  }

  /** Forgets every reading outside the limits; says how many. */
  keepWithin(slot: number, low: number, high: number): number {
    const kept = this.#inOrder(slot).filter((value) => value >= low && value <= high);
    const dropped = this.count(slot) - kept.length;
    if (dropped > 0) {
      this.clear(slot);
      for (const value of kept) this.add(slot, value);
    }
    return dropped;
  }

  /** The arrays that are its state, as they are now. */
  arrays(): { scalars: Float64Array; readings: Float64Array } {
    return { scalars: this.#scalars, readings: this.#readings };
  }

  /** @param signals as many as the arrays hold */
  restore(signals: number, scalars: Float64Array, readings: Float64Array): void {
    this.#scalars = scalars.slice();
    this.#readings = readings.slice();
    this.#sorted = new Float64Array(readings.length);
    for (let slot = 0; slot < signals; slot++)
      this.#sorted.set(Float64Array.from(this.#inOrder(slot)).sort(), slot * this.#size);
  }

  /** A reading leaves the recent ones: while there is room it stays among the earlier ones, later one of `stride` does. */
  #retire(slot: number, value: number): void {
    const { earlier, stride, recent } = this.#shape;
    const at = slot * SCALARS;
    const count = this.#scalar(at + EARLIER_COUNT);
    const skipped = this.#scalar(at + SKIPPED) + 1;
    const isKept = count < earlier || skipped >= stride;
    this.#scalars[at + SKIPPED] = isKept ? 0 : skipped;
    if (!isKept) {
      this.#remove(slot, value);
      return;
    }
    const position = this.#scalar(at + EARLIER_AT);
    const place = slot * this.#size + recent + position;
    if (count < earlier) this.#scalars[at + EARLIER_COUNT] = count + 1;
    else this.#remove(slot, this.#readings[place] as number);
    this.#readings[place] = value;
    this.#scalars[at + EARLIER_AT] = (position + 1) % earlier;
  }

  #insert(slot: number, value: number): void {
    const sorted = this.#sorted;
    const base = slot * this.#size;
    const count = this.count(slot);
    let at = base + count;
    while (at > base && (sorted[at - 1] as number) > value) {
      sorted[at] = sorted[at - 1] as number;
      at--;
    }
    sorted[at] = value;
    this.#scalars[slot * SCALARS + SORTED] = count + 1;
  }

  /** Takes one such value out; it is there. */
  #remove(slot: number, value: number): void {
    const sorted = this.#sorted;
    const base = slot * this.#size;
    const last = base + this.count(slot) - 1;
    let low = base;
    let high = last;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((sorted[middle] as number) < value) low = middle + 1;
      else high = middle;
    }
    for (let at = low; at < last; at++) sorted[at] = sorted[at + 1] as number;
    this.#scalars[slot * SCALARS + SORTED] = last - base;
  }

  /** Readings from the oldest to the newest. */
  #inOrder(slot: number): number[] {
    const { recent, earlier } = this.#shape;
    const at = slot * SCALARS;
    const base = slot * this.#size;
    const ring = (from: number, length: number, count: number, next: number): number[] =>
      Array.from({ length: count }, (_, i) => this.#readings[from + ((next - count + i + length) % length)] as number);
    return [
      ...ring(base + recent, earlier, this.#scalar(at + EARLIER_COUNT), this.#scalar(at + EARLIER_AT)),
      ...ring(base, recent, this.#scalar(at + RECENT_COUNT), this.#scalar(at + RECENT_AT)),
    ];
  }

  #scalar(at: number): number {
    return this.#scalars[at] as number;
  }
}
