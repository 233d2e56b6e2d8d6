/** Typed arrays that grow by doubling: what a builder holds instead of an object for each sample. */
export class Float64List {
  array = new Float64Array(256);
  length = 0;

  push(value: number): void {
    if (this.length === this.array.length) {
      const larger = new Float64Array(this.length * 2);
      larger.set(this.array);
      this.array = larger;
    }
    this.array[this.length++] = value;
  }

  view(): Float64Array {
    return this.array.subarray(0, this.length);
  }
}

export class Uint32List {
  array = new Uint32Array(256);
  length = 0;

  push(value: number): void {
    if (this.length === this.array.length) {
      const larger = new Uint32Array(this.length * 2);
      larger.set(this.array);
      this.array = larger;
    }
    this.array[this.length++] = value;
  }

  view(): Uint32Array {
    return this.array.subarray(0, this.length);
  }
}
