import { malformed } from "./block-error.ts";

/**
 * One interface for both directions: the encoder takes the value and gives it back, the decoder ignores what it is given and
 * gives what was encoded. So each structure of a block is written down once, and both sides cannot differ.
 */
export interface Coder {
  readonly decoding: boolean;
  /** One bit by its adaptive model `models[at]`. */
  bit(models: Int32Array, at: number, bit: number): number;
  /** `bits` (1..12) bits that are equally probable. */
  direct(value: number, bits: number): number;
}

/** `bits` (0..53) equally probable bits, the higher ones first, twelve at a time. */
export function directWide(coder: Coder, value: number, bits: number): number {
  let left = bits;
  let result = 0;
  while (left > 0) {
    const take = left > 12 ? 12 : left;
    left -= take;
    const part = coder.direct((Math.floor(value / 2 ** left) % 4096) & ((1 << take) - 1), take);
    result = result * (1 << take) + part;
  }
  return result;
}

/** A number of 0..2^53-1 of which small ones are likelier: its length in six bits, then its bits below the leading one. */
export function directNumber(coder: Coder, value: number): number {
  const length = coder.direct(coder.decoding ? 0 : bitLength(value), 6);
  if (length < 2) return length;
  if (length > 53) throw malformed(`a number of ${length} bits`);
  const leading = 2 ** (length - 1);
  return leading + directWide(coder, value - leading, length - 1);
}

/** Bits needed for a whole number of 0..2^53; 0 for 0. */
export function bitLength(value: number): number {
  return value < 4_294_967_296 ? 32 - Math.clz32(value) : 32 + (32 - Math.clz32(value / 4_294_967_296));
}
