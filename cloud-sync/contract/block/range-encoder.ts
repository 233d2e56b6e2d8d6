import { afterOne, afterZero } from "./adaptive-bit.ts";
import type { Coder } from "./range-coder.ts";

/**
 * A binary range coder. The state is an interval [low, low + range) within 32 bits; each bit keeps the lower part of it (0, as
 * large as probable) or the upper (1); when range falls below 2^23, the top byte of low is settled and goes out.
 */
export class RangeEncoder implements Coder {
  readonly decoding = false;
  #buffer = Buffer.allocUnsafe(1024);
  #length = 0;
  #low = 0;
  #range = 0x7fff_ffff;

  bit(models: Int32Array, at: number, bit: number): number {
    const state = models[at] as number;
    const bound = (this.#range >>> 16) * (state >>> 8);
    if (bit === 0) {
      models[at] = afterZero(state);
      this.#range = bound;
    } else {
      models[at] = afterOne(state);
      this.#range -= bound;
      this.#add(bound);
    }
    if (this.#range < 0x80_0000) this.#shift();
    return bit;
  }

  direct(value: number, bits: number): number {
    this.#range >>>= bits;
    this.#add(value * this.#range);
    if (this.#range < 0x80_0000) this.#shift();
    return value;
  }

  #add(amount: number): void {
    this.#low += amount;
    if (this.#low < 0x1_0000_0000) return;
    this.#low -= 0x1_0000_0000;
    let at = this.#length - 1;
    while (this.#buffer[at] === 0xff) this.#buffer[at--] = 0;
    this.#buffer[at] = (this.#buffer[at] as number) + 1;
  }

  #shift(): void {
    do {
      if (this.#length === this.#buffer.length) this.#grow();
      this.#buffer[this.#length++] = this.#low >>> 24;
      this.#low = (this.#low << 8) >>> 0;
      this.#range <<= 8;
    } while (this.#range < 0x80_0000);
  }

  #grow(): void {
    const larger = Buffer.allocUnsafe(this.#buffer.length * 4);
    this.#buffer.copy(larger);
    this.#buffer = larger;
  }

  /** So many bytes would be needed if this were the end; within four. */
  get estimatedBytes(): number {
    return this.#length + (31 - Math.log2(this.#range)) / 8;
  }

  /** Ends the stream with as few bytes as say it (zeros follow in the decoder's eyes) and begins a new one. */
  finish(): Buffer {
    const low = this.#low;
    const range = this.#range;
    for (let unit = 2 ** 32; ; unit /= 256) {
      const end = Math.ceil(low / unit) * unit;
      if (end >= low + range) continue;
      this.#add(end - low);
      for (let left = end % 2 ** 32, bytes = 4 - Math.log2(unit) / 8; bytes > 0; bytes--) {
        if (this.#length === this.#buffer.length) this.#grow();
        this.#buffer[this.#length++] = Math.floor(left / 2 ** 24);
        left = (left * 256) % 2 ** 32;
      }
      break;
    }
    const result = Buffer.from(this.#buffer.subarray(0, this.#length));
    this.reset();
    return result;
  }

  reset(): void {
    this.#length = 0;
    this.#low = 0;
    this.#range = 0x7fff_ffff;
  }
}
