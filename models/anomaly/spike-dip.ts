import type { SpikeDipParameters } from "./detector-manifest.ts";
import { History } from "./history.ts";
import { lnUpperTail } from "./normal-tail.ts";

const LAST_MS = 0;
const LAST_VALUE = 1;
/** Mean absolute difference of two readings, without outliers. */
const STEP = 2;
/** Smallest difference ever seen: what the sensor or its register resolves. */
const RESOLUTION = 3;
/** Readings beside the history, one after the other; negative below it. */
const RUN = 4;
const FLOOD = 5;
/** Readings still to be taken up unjudged. */
const UNJUDGED = 6;
const CLEANED = 7;
/** Whether the run was told of. */
const TOLD = 8;
const SCALARS = 9;

const STEP_MEMORY = 1 / 32;
const STEP_MAX = 4;
/** Mean absolute difference of two normal numbers, and their interquartile range, in standard deviations. */
const STEP_OF_NORMAL = 1.1284;
const QUARTILES_OF_NORMAL = 1.349;
/** Of a signal that never moved, and so told nothing of its noise: as a share of its value. */
const STILL_SHARE = 0.01;
const MOVING_SHARE = 1e-4;
/** At the end of the warm-up, readings beyond the quartiles by so many standard deviations are forgotten, if they are few. */
const CLEAN_DEVIATIONS = 5;
const CLEAN_SHARE_MAX = 0.25;
/** From this share of the threshold on a reading is not taken into the history. */
const DOUBT = 0.5;
const EXPECTED_SHARE = 0.025;
const SCORE_MAX = 99;
const LN10 = Math.LN10;

/** normal: taken into the history. outside: not, for now. unjudged: taken, for too little is known. */
export type Judgement = "normal" | "outside" | "unjudged";

/**
 * Spikes and dips of each signal by the p-value of a reading under the kernel density of what the signal has been lately: two-sided,
 * Gaussian kernels. What lies outside is not taken into the history, so one spike does not excuse the next; a run of such readings is a
 * new level and is. One run is one anomaly, however long. Sees one reading at a time.
 */
export class SpikeDip {
  readonly #parameters: SpikeDipParameters;
  readonly history: History;
  #scalars = new Float64Array(0);
  readonly scalarsEach = SCALARS;
  /** Of the reading judged last: −log10 of its p-value; an event is to be told; limits of what was expected; noise. */
  score = 0;
  isNew = false;
  low = 0;
  high = 0;
  deviation = 0;

  constructor(parameters: SpikeDipParameters) {
    this.#parameters = parameters;
    this.history = new History(parameters);
  }

  resize(signals: number): void {
    this.history.resize(signals);
    if (signals * SCALARS <= this.#scalars.length) return;
    const before = this.#scalars;
    this.#scalars = new Float64Array(signals * SCALARS);
    this.#scalars.set(before);
    for (let at = before.length; at < this.#scalars.length; at += SCALARS) {
      this.#scalars[at + LAST_MS] = Number.NaN;
      this.#scalars[at + RESOLUTION] = Number.POSITIVE_INFINITY;
    }
  }

  /** @param value finite @param timeMs of the reading, UTC epoch ms */
  judge(slot: number, timeMs: number, value: number): Judgement {
    const { warmUp, threshold, gapMs, settle } = this.#parameters;
    const at = slot * SCALARS;
    const lastMs = this.#scalar(at + LAST_MS);
    // Readings come in their order; a clock that was set back is as good as a silence.
    if (Math.abs(timeMs - lastMs) > gapMs) {
      this.#scalars[at + UNJUDGED] = settle;
      this.#scalars[at + RUN] = 0;
    }
    this.#scalars[at + LAST_MS] = timeMs;
    this.isNew = false;
    if (this.#scalar(at + CLEANED) === 0 && this.history.count(slot) >= warmUp) this.#clean(slot, at);
    if (this.#scalar(at + CLEANED) === 0 || this.#scalar(at + UNJUDGED) > 0) {
      if (this.#scalar(at + UNJUDGED) > 0) this.#scalars[at + UNJUDGED] = this.#scalar(at + UNJUDGED) - 1;
      this.#take(slot, at, value);
      return "unjudged";
    }
    const side = this.#measure(slot, at, value);
    this.#leak(at);
    // A reading that is nearly an anomaly would, once in the history, excuse the next that is one.
    if (this.score < threshold * DOUBT) {
      this.#scalars[at + RUN] = 0;
      this.#take(slot, at, value);
      return "normal";
    }
    return this.#outside(slot, at, value, side);
  }

  /** Scores the reading; gives 1 above the history's middle, −1 below. */
  #measure(slot: number, at: number, value: number): 1 | -1 {
    const { bandwidth } = this.#parameters;
    const { history } = this;
    const count = history.count(slot);
    const quarter = count >> 2;
    const spread = (history.ranked(slot, count - 1 - quarter) - history.ranked(slot, quarter)) / QUARTILES_OF_NORMAL;
    const middle = history.ranked(slot, count >> 1);
    this.deviation = this.#deviation(at, spread, middle);
    const few = Math.floor(count * EXPECTED_SHARE);
    this.low = history.ranked(slot, few);
    this.high = history.ranked(slot, count - 1 - few);
    const side = value >= middle ? 1 : -1;
    const width = this.deviation * bandwidth;
    const edge = side > 0 ? history.ranked(slot, count - 1) : history.ranked(slot, 0);
    const z = (side * (value - edge)) / width;
    // A signal whose noise nobody knows yet: it was nothing but 0.
    this.score = z > 0 && width > 0 ? this.#tailScore(slot, value, side, width, count, z) : 0;
    return side;
  }

  /** −log10 of the two-sided p-value of a reading that lies beyond the outermost of the history. */
  #tailScore(slot: number, value: number, side: 1 | -1, width: number, count: number, z: number): number {
    const nearest = lnUpperTail(z);
    let sum = 1;
    for (let rank = 1; rank < count; rank++) {
      const other = this.history.ranked(slot, side > 0 ? count - 1 - rank : rank);
      const share = Math.exp(lnUpperTail((side * (value - other)) / width) - nearest);
      sum += share;
      if (share < 1e-4) break;
    }
    return Math.min(SCORE_MAX, Math.max(0, -(nearest + Math.log((2 * sum) / count)) / LN10));
  }

  /**
   * Between what a signal does from one reading to the next and what it does at large: of noise both are the same; of a signal that
   * moves slowly, or between levels, the one is too narrow and the other too wide.
   */
  #deviation(at: number, spread: number, middle: number): number {
    const step = this.#scalar(at + STEP) / STEP_OF_NORMAL;
    const least = this.#least(at, middle);
    return Math.max(least, Math.sqrt(Math.max(spread, least) * Math.max(step, least)));
  }

  #least(at: number, middle: number): number {
    const resolution = this.#scalar(at + RESOLUTION);
    if (resolution === Number.POSITIVE_INFINITY) return STILL_SHARE * Math.abs(middle);
    return Math.max(resolution, MOVING_SHARE * Math.abs(middle));
  }

  #outside(slot: number, at: number, value: number, side: 1 | -1): Judgement {
    const { levelAfter, floodMax, threshold } = this.#parameters;
    const run = this.#scalar(at + RUN);
    const isSameRun = run * side > 0;
    const length = isSameRun ? Math.abs(run) + 1 : 1;
    this.#scalars[at + RUN] = side * length;
    if (!isSameRun) this.#scalars[at + TOLD] = 0;
    if (this.score >= threshold && this.#scalar(at + TOLD) === 0) {
      this.isNew = true;
      this.#scalars[at + TOLD] = 1;
      this.#scalars[at + FLOOD] = this.#scalar(at + FLOOD) + 1;
      if (this.#scalar(at + FLOOD) > floodMax) this.#forget(slot, at);
    }
    if (length < levelAfter) return "outside";
    this.#take(slot, at, value);
    return "normal";
  }

  #leak(at: number): void {
    this.#scalars[at + FLOOD] = Math.max(0, this.#scalar(at + FLOOD) - 1 / this.#parameters.floodEvery);
  }

  #take(slot: number, at: number, value: number): void {
    if (this.history.count(slot) > 0) {
      const difference = Math.abs(value - this.#scalar(at + LAST_VALUE));
      const step = this.#scalar(at + STEP);
      if (difference > 0 && difference < this.#scalar(at + RESOLUTION)) this.#scalars[at + RESOLUTION] = difference;
      const held = step > 0 ? Math.min(difference, STEP_MAX * step) : difference;
      // The first differences count in full, so that the warm-up is enough.
      const share = Math.max(STEP_MEMORY, 1 / this.history.count(slot));
      this.#scalars[at + STEP] = step + share * (held - step);
    }
    this.#scalars[at + LAST_VALUE] = value;
    this.history.add(slot, value);
  }

  /** What stood out while nobody judged must not excuse what comes. */
  #clean(slot: number, at: number): void {
    const { history } = this;
    const count = history.count(slot);
    const [low, high] = [history.ranked(slot, count >> 2), history.ranked(slot, count - 1 - (count >> 2))];
    const spread = (high - low) / QUARTILES_OF_NORMAL;
    this.#scalars[at + CLEANED] = 1;
    // The steps between readings are no measure here: each outlier made two large ones.
    const margin = CLEAN_DEVIATIONS * Math.max(spread, this.#least(at, history.ranked(slot, count >> 1)));
    let far = 0;
    for (let rank = 0; rank < count; rank++) {
      const value = history.ranked(slot, rank);
      if (value < low - margin || value > high + margin) far++;
    }
    if (far > 0 && far <= CLEAN_SHARE_MAX * count) history.keepWithin(slot, low - margin, high + margin);
  }

  #forget(slot: number, at: number): void {
    this.history.clear(slot);
    this.#scalars.fill(0, at + STEP, at + SCALARS);
    this.#scalars[at + RESOLUTION] = Number.POSITIVE_INFINITY;
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
