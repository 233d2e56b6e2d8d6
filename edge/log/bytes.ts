/** Growing little-endian byte buffer. Integers up to 2^53 as LEB128 varints, signed ones zigzagged. */
export class ByteWriter {
  #buffer: Buffer;
  #length = 0;

  constructor(sizeBytes: number) {
    this.#buffer = Buffer.allocUnsafe(sizeBytes);
  }

  get length(): number {
    return this.#length;
  }

  /** Begins anew in the same memory: what `take` gave before is overwritten. */
  clear(): void {
    this.#length = 0;
  }

  #room(bytes: number): void {
    if (this.#length + bytes <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafe(Math.max(this.#buffer.length * 2, this.#length + bytes));
    this.#buffer.copy(larger, 0, 0, this.#length);
    this.#buffer = larger;
  }

  u8(value: number): void {
    if (this.#length === this.#buffer.length) this.#room(1);
    this.#buffer[this.#length++] = value;
  }

  u16(value: number): void {
    this.#room(2);
    this.#length = this.#buffer.writeUInt16LE(value, this.#length);
  }

  u32(value: number): void {
    this.#room(4);
    this.#length = this.#buffer.writeUInt32LE(value >>> 0, this.#length);
  }

  f32(value: number): void {
    this.#room(4);
    this.#length = this.#buffer.writeFloatLE(value, this.#length);
  }

  f64(value: number): void {
    this.#room(8);
    this.#length = this.#buffer.writeDoubleLE(value, this.#length);
  }

  varint(value: number): void {
    this.#room(10);
    const buffer = this.#buffer;
    let rest = value;
    for (; rest > 0x7fff_ffff; rest = Math.floor(rest / 0x80)) buffer[this.#length++] = (rest % 0x80) | 0x80;
    for (; rest > 0x7f; rest >>>= 7) buffer[this.#length++] = (rest & 0x7f) | 0x80;
    buffer[this.#length++] = rest;
  }

  zigzag(value: number): void {
    this.varint(value < 0 ? -value * 2 - 1 : value * 2);
  }

  text(value: string): void {
    const bytes = Buffer.byteLength(value);
    this.varint(bytes);
    this.#room(bytes);
    this.#length += this.#buffer.write(value, this.#length);
  }

  bytes(value: Uint8Array): void {
    this.#room(value.length);
    this.#buffer.set(value, this.#length);
    this.#length += value.length;
  }

  take(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }
}

/** Reads what ByteWriter wrote; throws RangeError past the end, whatever the bytes say. */
export class ByteReader {
  readonly #buffer: Buffer;
  readonly #end: number;
  #position: number;

  constructor(bytes: Uint8Array, start = 0, end = bytes.length) {
    this.#buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#position = start;
    this.#end = Math.min(end, bytes.length);
  }

  get left(): number {
    return this.#end - this.#position;
  }

  get position(): number {
    return this.#position;
  }

  #advance(bytes: number): number {
    const at = this.#position;
    if (bytes > this.#end - at) throw new RangeError("truncated");
    this.#position = at + bytes;
    return at;
  }

  u8(): number {
    return this.#buffer[this.#advance(1)] as number;
  }

  u16(): number {
    return this.#buffer.readUInt16LE(this.#advance(2));
  }

  u32(): number {
    return this.#buffer.readUInt32LE(this.#advance(4));
  }

  f32(): number {
    return this.#buffer.readFloatLE(this.#advance(4));
  }

  f64(): number {
    return this.#buffer.readDoubleLE(this.#advance(8));
  }

  varint(): number {
    let value = this.u8();
    if (value < 0x80) return value;
    value &= 0x7f;
    let factor = 0x80;
    for (let i = 1; i < 8; i++) {
      const byte = this.u8();
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
      factor *= 0x80;
    }
    throw new RangeError("varint longer than 8 bytes");
  }

  zigzag(): number {
    const value = this.varint();
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }

  text(): string {
    const bytes = this.varint();
    const at = this.#advance(bytes);
    return this.#buffer.toString("utf8", at, at + bytes);
  }

  /** A view of the next bytes. */
  bytes(count: number): Buffer {
    const at = this.#advance(count);
    return this.#buffer.subarray(at, at + count);
  }
}
