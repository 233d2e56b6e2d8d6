/** A fixed header: type and flags, then the length in one to four bytes of seven bits (MQTT 3.1.1, 2.2.3). */
const LENGTH_BYTES_MAX = 4;

/**
 * Cuts a byte stream into MQTT packets before they are parsed, so that the announced size is known, and refused, before any
 * of the packet is kept.
 */
export class FrameSplitter {
  /** Of a whole packet. */
  bytesMax: number;
  #header: number[] = [];
  #frame: Buffer | undefined;
  #filled = 0;

  constructor(bytesMax: number) {
    this.bytesMax = bytesMax;
  }

  /** The packets that this piece completes. @throws Error when a packet is larger than allowed or its length malformed */
  *split(piece: Buffer): Iterable<Buffer> {
    let at = 0;
    while (at < piece.length) {
      if (this.#frame === undefined) {
        const begin = at - this.#header.length;
        const size = this.#readHeader(piece[at++] as number);
        if (size === undefined) continue;
        if (begin >= 0 && begin + size <= piece.length) {
          this.#header = [];
          at = begin + size;
          yield piece.subarray(begin, at);
          continue;
        }
        this.#frame = Buffer.allocUnsafe(size);
        this.#frame.set(this.#header);
        this.#filled = this.#header.length;
        this.#header = [];
      }
      const frame: Buffer = this.#frame;
      const copied = piece.copy(frame, this.#filled, at, Math.min(piece.length, at + frame.length - this.#filled));
      at += copied;
      this.#filled += copied;
      if (this.#filled === frame.length) {
        this.#frame = undefined;
        yield frame;
      }
    }
  }

  /** The packet's whole size once its length is read. */
  #readHeader(byte: number): number | undefined {
    this.#header.push(byte);
    const digits = this.#header.length - 1;
    if (digits === 0 || (byte & 0x80) !== 0) {
      if (digits === LENGTH_BYTES_MAX) throw new Error("the length of a packet is malformed");
      return undefined;
    }
    const length = this.#header.slice(1).reduce((sum, digit, i) => sum + (digit & 0x7f) * 128 ** i, 0);
    const size = this.#header.length + length;
    if (size > this.bytesMax) throw new Error(`a packet of ${size} bytes, at most ${this.bytesMax} are allowed`);
    return size;
  }
}
