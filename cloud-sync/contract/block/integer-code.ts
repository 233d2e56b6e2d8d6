import { FAIR } from "./adaptive-bit.ts";
import { malformed } from "./block-error.ts";
import { bitLength, type Coder, directWide } from "./range-coder.ts";

/**
 * Integers that scatter around zero, such as what a prediction left over. A running mean of their size says which length in bits
 * is expected ("base"); the length is coded as steps up or down from there, then the sign, then the two bits below the leading
 * one by models, the rest as they are.
 *
 *   mean16   sixteen times the mean of |r|: += ((min(|r|, 2^24) * 16) - mean16) >> RATE_SHIFT after each
 *   level    half octaves: with m = mean16 + 8 and L = floor(log2 m): 2 * (L - 3) + (bit below the leading one)
 *   base     level >> 1
 */
const LEVELS = 54;
const STEPS = 8;
const SIGN_AT = LEVELS * 2 * STEPS;
const MANTISSA_AT = SIGN_AT + 3;
const MODELS = MANTISSA_AT + 8 * 3;
const MEAN_SHIFT = [1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3] as const;
const MEAN_SHIFT_LAST = 4;
const LENGTH_MAX = 54;

const TEMPLATE = new Int32Array(MODELS).fill(FAIR);

export class IntegerCode {
  readonly #models = Int32Array.from(TEMPLATE);
  #mean16 = 16;
  #seen = 0;
  #sign = 0;

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
        if (coder.bit(models, up + STEPS + step, wanted < length ? 1 : 0) === 0) break;
        if (step < STEPS - 1) step++;
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
    const size16 = magnitude > 16_777_216 ? 268_435_456 : magnitude * 16;
    this.#mean16 += (size16 - this.#mean16) >> shift;
  }
}
