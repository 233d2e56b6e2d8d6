import { FAIR, prior } from "./adaptive-bit.ts";
import { malformed } from "./block-error.ts";
import { bitLength, type Coder, directWide } from "./range-coder.ts";

/**
 * Integers that scatter around zero, such as what a prediction left over. A running mean of their size says which length in bits
 * is expected ("base"); the length is coded as steps up or down from there, then the sign, then the two bits below the leading
 * one by models, the rest as they are.
 *
 *   mean16   sixteen times the mean of |r|: += (min(16 * |r|, 2 * mean16 + 16, 2^28) - mean16) >> shift after each, so that one
 *            outlier does not spoil it; it begins as 16
 *   level    half octaves: with m = mean16 + 8 and L = floor(log2 m): 2 * (L - 3) + (bit below the leading one)
 *   base     level >> 1
 */
const LEVELS = 54;
const STEPS = 8;
const SIGN_AT = LEVELS * 2 * STEPS;
const MANTISSA_AT = SIGN_AT + 3;
const MODELS = MANTISSA_AT + 8 * 3;
const MEAN_SHIFT = [1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3] as const;
export const MEAN_SHIFT_LAST = 4;
const LENGTH_MAX = 54;
const SIZE16_MAX = 2 ** 28;

/**
 * How probable a 0 is at first, in percent, as if PRIOR_SEEN bits had been seen: steps up, then steps down (of which the last
 * is the one from 1 to 0), for levels 0 to 5, then for all further even and odd ones. Measured on residuals of machine data.
 */
const PRIOR_SEEN = 4;
const STEP_PRIORS: readonly (readonly number[])[] = [
  [73, 84, 65, 20, 15, 15, 15, 15, 50, 50, 50, 50, 50, 50, 50, 50],
  [48, 72, 63, 20, 15, 15, 15, 15, 50, 50, 50, 50, 50, 50, 50, 50],
  [75, 74, 30, 15, 15, 20, 20, 20, 50, 50, 50, 50, 50, 50, 50, 52],
  [61, 62, 36, 18, 17, 20, 25, 30, 50, 50, 50, 50, 50, 50, 50, 63],
  [74, 50, 26, 20, 20, 25, 30, 30, 41, 50, 50, 50, 50, 50, 50, 67],
  [63, 54, 43, 23, 20, 30, 30, 30, 46, 50, 50, 50, 50, 50, 50, 69],
  [67, 47, 36, 30, 35, 35, 35, 30, 33, 42, 47, 50, 52, 50, 50, 68],
  [54, 48, 42, 35, 35, 35, 35, 30, 39, 45, 48, 50, 52, 50, 50, 67],
];
/** Likewise the two bits below the leading one, by how far the length is from the base (-4..3): the first, the second after 0, after 1. */
const MANTISSA_PRIORS: readonly (readonly number[])[] = [
  [62, 57, 53],
  [64, 59, 53],
  [62, 58, 54],
  [61, 57, 53],
  [62, 59, 52],
  [70, 62, 56],
  [70, 65, 52],
  [60, 62, 53],
];
const TEMPLATE = template();

function template(): Int32Array {
  const models = new Int32Array(MODELS).fill(FAIR);
  const set = (at: number, percents: readonly number[]): void => {
    percents.forEach((percent, i) => {
      models[at + i] = prior(Math.floor((percent * 65_536) / 100), PRIOR_SEEN);
    });
  };
  for (let level = 0; level < LEVELS; level++) {
    set(level * 2 * STEPS, STEP_PRIORS[level < 6 ? level : 6 + (level & 1)] as readonly number[]);
  }
  MANTISSA_PRIORS.forEach((percents, i) => {
    set(MANTISSA_AT + 3 * i, percents);
  });
  return models;
}

export class IntegerCode {
  readonly #models = TEMPLATE.slice();
  #mean16 = 16;
  #seen = 0;
  #sign = 0;

  /** As a new one, in the same memory: short columns take longer to make one than to code. */
  reset(): this {
    this.#models.set(TEMPLATE);
    this.#mean16 = 16;
    this.#seen = 0;
    this.#sign = 0;
    return this;
  }

  /** Sixteen times the running mean of |r|. */
  get mean16(): number {
    return this.#mean16;
  }

  /** @param r whole, |r| < 2^53; ignored when decoding */
  code(coder: Coder, r: number): number {
    const models = this.#models;
    const m = this.#mean16 + 8;
    const top = 31 - Math.clz32(m);
    const level = ((top - 3) << 1) | ((m >> (top - 1)) & 1);
    const base = level >> 1;
    const magnitude = r < 0 ? -r : r;
    const wanted = bitLength(magnitude);
    const up = level * (2 * STEPS);
    let length = base;
    if (coder.bit(models, up, wanted > base ? 1 : 0) === 1) {
      length = base + 1;
      for (let step = 1; coder.bit(models, up + step, wanted > length ? 1 : 0) === 1; ) {
        if (++length > LENGTH_MAX) throw malformed("an integer of more than 54 bits");
        if (step < STEPS - 1) step++;
      }
    } else {
      for (let step = 0; length > 0; length--) {
        const down = length === 1 ? STEPS - 1 : step;
        if (coder.bit(models, up + STEPS + down, wanted < length ? 1 : 0) === 0) break;
        if (step < STEPS - 2) step++;
      }
    }
    let result = length;
    if (length > 1) result = this.#mantissa(coder, magnitude, length, base);
    this.#adapt(result);
    if (length === 0) {
      this.#sign = 0;
      return 0;
    }
    const negative = coder.bit(models, SIGN_AT + this.#sign, r < 0 ? 1 : 0);
    this.#sign = 1 + negative;
    return negative === 1 ? -result : result;
  }

  #mantissa(coder: Coder, magnitude: number, length: number, base: number): number {
    const models = this.#models;
    const from = length - base;
    const at = MANTISSA_AT + 3 * (from < -4 ? 0 : from > 3 ? 7 : from + 4);
    if (length === 2) return 2 + coder.bit(models, at, magnitude & 1);
    const below = length - 3;
    const top = below < 29 ? magnitude >> below : Math.floor(magnitude / 2 ** below);
    const first = coder.bit(models, at, (top >> 1) & 1);
    const head = 4 + 2 * first + coder.bit(models, at + 1 + first, top & 1);
    if (below === 0) return head;
    if (below <= 12) return (head << below) | coder.direct(magnitude & ((1 << below) - 1), below);
    const unit = 2 ** below;
    return head * unit + directWide(coder, magnitude % unit, below);
  }

  #adapt(magnitude: number): void {
    const shift = this.#seen < MEAN_SHIFT.length ? (MEAN_SHIFT[this.#seen++] as number) : MEAN_SHIFT_LAST;
    this.#mean16 = meanAfter(this.#mean16, magnitude, shift);
  }
}

/** The running mean after a residual of this size; one outlier moves it no further than twice itself. */
export function meanAfter(mean16: number, size: number, shift: number): number {
  const most16 = Math.min(2 * mean16 + 16, SIZE16_MAX);
  return mean16 + (((size * 16 > most16 ? most16 : size * 16) - mean16) >> shift);
}
