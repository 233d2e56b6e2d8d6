import type { ChangepointParameters } from "./detector-manifest.ts";

const SUM = 0;
const COUNT = 1;
const BLOCKS = 2;
const MEAN = 3;
const VARIANCE = 4;
const RISE = 5;
const FALL = 6;
/** Sum and count of blocks since the rising, and since the falling, sum left zero: what the new level is. */
const RISE_SUM = 7;
const RISE_COUNT = 8;
const FALL_SUM = 9;
const FALL_COUNT = 10;
const QUIET = 11;
const SCALARS = 12;

/**
 * Changes of level of each signal: a two-sided CUSUM (Page 1954) on means of blocks of readings, against a baseline that remembers the
 * last blocks. The baseline's deviation is that of the blocks themselves, so a signal that wanders is granted its wandering. After a
 * change the new level is the baseline, and for a while nothing is told: one change is one anomaly.
 */
export class Changepoint {
  readonly #parameters: ChangepointParameters;
  #scalars = new Float64Array(0);
  readonly scalarsEach = SCALARS;
  /** Of the change found last: the sum, levels after and before, the limits that were expected. */
  score = 0;
  level = 0;
  before = 0;
  low = 0;
  high = 0;

  constructor(parameters: ChangepointParameters) {
    this.#parameters = parameters;
  }

  resize(signals: number): void {
    if (signals * SCALARS <= this.#scalars.length) return;
    const before = this.#scalars;
    this.#scalars = new Float64Array(signals * SCALARS);
    this.#scalars.set(before);
  }

  /**
   * @param value finite, held within what was expected where it is a single outlier
   * @param deviation of the readings; 0 when unknown
   * @returns whether a change was found with this reading
   */
  step(slot: number, value: number, deviation: number): boolean {
    const at = slot * SCALARS;
    const s = this.#scalars;
    s[at + SUM] = this.#scalar(at + SUM) + value;
    s[at + COUNT] = this.#scalar(at + COUNT) + 1;
    if (this.#scalar(at + COUNT) < this.#parameters.block) return false;
    const mean = this.#scalar(at + SUM) / this.#scalar(at + COUNT);
    s[at + SUM] = 0;
    s[at + COUNT] = 0;
    return this.#block(at, mean, deviation);
  }

  /** A gap: what is half a block belongs to nothing. */
  interrupt(slot: number): void {
    const at = slot * SCALARS;
    this.#scalars.fill(0, at + SUM, at + BLOCKS);
    this.#scalars.fill(0, at + RISE, at + QUIET);
  }

  #block(at: number, mean: number, deviation: number): boolean {
    const { warmUp, slack, threshold, stepMax, deviationMin } = this.#parameters;
    const s = this.#scalars;
    const blocks = this.#scalar(at + BLOCKS);
    s[at + BLOCKS] = blocks + 1;
    if (blocks === 0) {
      s[at + MEAN] = mean;
      return false;
    }
    const spread = Math.max(Math.sqrt(this.#scalar(at + VARIANCE)), deviationMin * deviation);
    const off = mean - this.#scalar(at + MEAN);
    const z = spread > 0 ? Math.max(-stepMax, Math.min(stepMax, off / spread)) : 0;
    if (blocks < warmUp || this.#scalar(at + QUIET) > 0) {
      if (this.#scalar(at + QUIET) > 0) s[at + QUIET] = this.#scalar(at + QUIET) - 1;
      this.#learn(at, off, blocks);
      return false;
    }
    this.#sum(at, RISE, RISE_SUM, RISE_COUNT, z - slack, mean);
    this.#sum(at, FALL, FALL_SUM, FALL_COUNT, -z - slack, mean);
    const isRise = this.#scalar(at + RISE) >= threshold;
    if (!isRise && this.#scalar(at + FALL) < threshold) {
      this.#learn(at, z === off / spread || spread === 0 ? off : z * spread, blocks);
      return false;
    }
    this.#found(at, isRise, spread);
    return true;
  }

  #found(at: number, isRise: boolean, spread: number): void {
    const s = this.#scalars;
    this.score = this.#scalar(at + (isRise ? RISE : FALL));
    this.level = isRise
      ? this.#scalar(at + RISE_SUM) / this.#scalar(at + RISE_COUNT)
      : this.#scalar(at + FALL_SUM) / this.#scalar(at + FALL_COUNT);
    this.before = this.#scalar(at + MEAN);
    this.low = this.before - 2 * spread;
    this.high = this.before + 2 * spread;
    s[at + MEAN] = this.level;
    s[at + QUIET] = this.#parameters.quiet;
    s.fill(0, at + RISE, at + QUIET);
  }

  #sum(at: number, sum: number, total: number, count: number, more: number, mean: number): void {
    const s = this.#scalars;
    const next = Math.max(0, this.#scalar(at + sum) + more);
    s[at + sum] = next;
    s[at + total] = next > 0 ? this.#scalar(at + total) + mean : 0;
    s[at + count] = next > 0 ? this.#scalar(at + count) + 1 : 0;
  }

  #learn(at: number, off: number, blocks: number): void {
    const { memory } = this.#parameters;
    const s = this.#scalars;
    const share = Math.max(1 / memory, 1 / (blocks + 1));
    s[at + MEAN] = this.#scalar(at + MEAN) + share * off;
    s[at + VARIANCE] =
      this.#scalar(at + VARIANCE) + Math.max(1 / memory, 1 / blocks) * (off * off - this.#scalar(at + VARIANCE));
  }

  get scalars(): Float64Array {
    return this.#scalars;
  }

  restore(scalars: Float64Array): void {
    this.#scalars = scalars.slice();
  }

  #scalar(at: number): number {
    return this.#scalars[at] as number;
  }
}
