import { afterOne, afterZero } from "./adaptive-bit.ts";
import { BlockError } from "./block-error.ts";
import type { Coder } from "./range-coder.ts";

/** The other side of RangeEncoder; `code` is where the encoded number lies within the interval, counted from its low end. */
export class RangeDecoder implements Coder {
  readonly decoding = true;
  readonly #bytes: Uint8Array;
  #position = 0;
  #code = 0;
  #range = 0x7fff_ffff;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    for (let i = 0; i < 4; i++) this.#code = this.#code * 256 + this.#next();
    // Only a forged stream begins so; any number within the interval is as good.
    if (this.#code >= this.#range) this.#code = this.#range - 1;
  }

  bit(models: Int32Array, at: number, _bit: number): number {
    const state = models[at] as number;
    const bound = (this.#range >>> 16) * (state >>> 8);
    let bit = 0;
    if (this.#code < bound) {
      models[at] = afterZero(state);
      this.#range = bound;
    } else {
      models[at] = afterOne(state);
      this.#range -= bound;
      this.#code -= bound;
      bit = 1;
    }
    if (this.#range < 0x80_0000) this.#shift();
    return bit;
  }

  direct(_value: number, bits: number): number {
    this.#range >>>= bits;
    let value = (this.#code / this.#range) | 0;
    if (value >= 1 << bits) value = (1 << bits) - 1;
    this.#code -= value * this.#range;
    // Only a forged stream leaves more than fits.
    if (this.#code >= this.#range) this.#code = this.#range - 1;
    if (this.#range < 0x80_0000) this.#shift();
    return value;
  }

  #shift(): void {
    do {
      this.#code = (this.#code << 8) | this.#next();
      this.#range <<= 8;
    } while (this.#range < 0x80_0000);
  }

  #next(): number {
    const at = this.#position++;
    if (at < this.#bytes.length) return this.#bytes[at] as number;
    // The encoder leaves out up to four bytes at the end, which are zeros.
    if (at >= this.#bytes.length + 4) throw new BlockError("truncated", "a column ends before its last value");
    return 0;
  }

  /** @throws BlockError malformed when the stream is longer than what was read of it */
  end(what: string): void {
    if (this.#position < this.#bytes.length) {
      throw new BlockError("malformed", `${this.#bytes.length - this.#position} bytes are left over behind ${what}`);
    }
  }
}
