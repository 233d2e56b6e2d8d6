/**
 * What comes next, from what came before: a level and a trend that follow the values (Holt's double exponential smoothing), in
 * integers of 1/256. Every prediction is exact integer arithmetic, so that each decoder gets the same.
 *
 *   predicted = floor((level + trend + 128) / 256)
 *   e = 256 * value - level - trend
 *   level = level + trend + floor(e / 2^a)
 *   trend = trend + floor(e / 2^b), or 0 without a trend
 * When a > 0, a jump (|value - predicted| above JUMP_MIN and above JUMP_FACTOR times the mean16 of the residuals before it, / 16) sets the
 * level to the value and leaves the trend: machines go from one working point to the next.
 */
export interface Smoothing {
  /** a */
  readonly levelShift: number;
  /** b; -1: no trend */
  readonly trendShift: number;
}

/** By number in the block; 0 predicts the value before, 1 goes on in a straight line. */
export const SMOOTHINGS: readonly Smoothing[] = [
  { levelShift: 0, trendShift: -1 },
  { levelShift: 0, trendShift: 0 },
  { levelShift: 1, trendShift: -1 },
  { levelShift: 2, trendShift: -1 },
  { levelShift: 3, trendShift: -1 },
  { levelShift: 4, trendShift: -1 },
  { levelShift: 0, trendShift: 2 },
  { levelShift: 1, trendShift: 3 },
  { levelShift: 2, trendShift: 5 },
  { levelShift: 3, trendShift: 7 },
  { levelShift: 1, trendShift: 1 },
  { levelShift: 5, trendShift: 9 },
  { levelShift: 0, trendShift: 1 },
  { levelShift: 0, trendShift: 3 },
  { levelShift: 1, trendShift: 4 },
  { levelShift: 2, trendShift: 3 },
];
/** Beyond this size of a value only smoothing 0 is exact; the encoder uses no other. */
export const SMOOTHED_MAX = 2 ** 40;
/** Values are at most so large; two of them differ by an exact integer. */
export const INTEGER_MAX = 2 ** 51;
const JUMP_MIN = 4;
const JUMP_FACTOR = 3;

export class Predictor {
  readonly #levelScale: number;
  readonly #trendScale: number;
  #level = 0;
  #trend = 0;

  constructor(smoothing: Smoothing) {
    this.#levelScale = 1 / 2 ** smoothing.levelShift;
    this.#trendScale = smoothing.trendShift < 0 ? 0 : 1 / 2 ** smoothing.trendShift;
  }

  next(): number {
    return Math.floor((this.#level + this.#trend + 128) / 256);
  }

  /** @param mean16 sixteen times the mean size of the residuals before this one */
  follow(value: number, predicted: number, mean16: number): void {
    const residual = Math.abs(value - predicted);
    if (this.#levelScale < 1 && residual > JUMP_MIN && residual * 16 > mean16 * JUMP_FACTOR) {
      this.#level = value * 256;
      return;
    }
    const base = this.#level + this.#trend;
    const e = value * 256 - base;
    this.#level = base + Math.floor(e * this.#levelScale);
    this.#trend += Math.floor(e * this.#trendScale);
  }
}
