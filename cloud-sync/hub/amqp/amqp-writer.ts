const START_BYTES = 64 * 1024;

/**
 * Encodes AMQP 1.0 values into one growing buffer that is used again and again. rhea's own encoder makes an object for
 * each value, which costs more than everything else that is done for an event.
 */
export class AmqpWriter {
  #buffer = Buffer.allocUnsafe(START_BYTES);
  #at = 0;

  reset(): void {
    this.#at = 0;
  }

  /** Copies of what was written, followed by `tail`. */
  finish(tail: Buffer): Buffer {
    const bytes = Buffer.allocUnsafe(this.#at + tail.length);
    this.#buffer.copy(bytes, 0, 0, this.#at);
    tail.copy(bytes, this.#at);
    return bytes;
  }

  raw(bytes: Buffer): void {
    this.#ensure(bytes.length);
    this.#at += bytes.copy(this.#buffer, this.#at);
  }

  section(code: number): void {
    this.#ensure(3);
    this.#byte(0x00);
    this.#byte(0x53);
    this.#byte(code);
  }

  null(): void {
    this.#ensure(1);
    this.#byte(0x40);
  }

  string(text: string): void {
    this.#text(text, 0xa1);
  }

  symbol(text: string): void {
    this.#text(text, 0xa3);
  }

  long(value: number): void {
    this.#wide(0x81, value);
  }

  timestamp(ms: number): void {
    this.#wide(0x83, ms);
  }

  binary(bytes: Buffer): void {
    this.binaryHead(bytes.length);
    this.raw(bytes);
  }

  /** Only the constructor and length of binary data that follows. */
  binaryHead(length: number): void {
    this.#ensure(5);
    if (length <= 255) {
      this.#byte(0xa0);
      this.#byte(length);
    } else {
      this.#byte(0xb0);
      this.#at = this.#buffer.writeUInt32BE(length, this.#at);
    }
  }

  /** Begins a map or a list; give what it returns to `end`. */
  begin(kind: "map" | "list"): number {
    this.#ensure(9);
    this.#byte(kind === "map" ? 0xd1 : 0xd0);
    const start = this.#at;
    this.#at += 8;
    return start;
  }

  /** @param count of values: two for each entry of a map */
  end(start: number, count: number): void {
    this.#buffer.writeUInt32BE(this.#at - start - 4, start);
    this.#buffer.writeUInt32BE(count, start + 4);
  }

  #text(text: string, shortCode: number): void {
    this.#ensure(text.length * 3 + 5);
    if (text.length <= 85) {
      const length = this.#buffer.write(text, this.#at + 2, "utf8");
      this.#byte(shortCode);
      this.#byte(length);
      this.#at += length;
      return;
    }
    const length = this.#buffer.write(text, this.#at + 5, "utf8");
    this.#byte(shortCode + 0x10);
    this.#at = this.#buffer.writeUInt32BE(length, this.#at);
    this.#at += length;
  }

  #wide(code: number, value: number): void {
    this.#ensure(9);
    this.#byte(code);
    this.#at = this.#buffer.writeInt32BE(Math.floor(value / 0x1_0000_0000), this.#at);
    this.#at = this.#buffer.writeUInt32BE(value >>> 0, this.#at);
  }

  #byte(value: number): void {
    this.#buffer[this.#at++] = value;
  }

  #ensure(more: number): void {
    if (this.#at + more <= this.#buffer.length) return;
    const bigger = Buffer.allocUnsafe(Math.max(this.#buffer.length * 2, this.#at + more));
    this.#buffer.copy(bigger, 0, 0, this.#at);
    this.#buffer = bigger;
  }
}
