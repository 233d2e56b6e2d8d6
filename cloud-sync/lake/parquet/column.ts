/** What a column holds. time: UTC ms, time-us: UTC µs; DuckDB sees both as TIMESTAMP. */
export type ColumnType = "text" | "double" | "integer" | "time" | "time-us";

export interface ColumnSpec {
  readonly name: string;
  readonly type: ColumnType;
  readonly nullable: boolean;
}

const ROWS_FIRST = 1_024;
/** Stands in the index of a text column for null. */
export const NULL_INDEX = 0xffff_ffff;

/** Numbers of one row group as they come, in typed arrays that grow. */
export class NumberColumn {
  readonly spec: ColumnSpec;
  #numbers = new Float64Array(ROWS_FIRST);
  #present = new Uint8Array(ROWS_FIRST);
  #length = 0;
  #nulls = 0;

  constructor(spec: ColumnSpec) {
    this.spec = spec;
  }

  push(value: number): void {
    if (this.#length === this.#numbers.length) this.#grow();
    this.#present[this.#length] = 1;
    this.#numbers[this.#length++] = value;
  }

  pushNull(): void {
    if (this.#length === this.#numbers.length) this.#grow();
    this.#present[this.#length] = 0;
    this.#numbers[this.#length++] = 0;
    this.#nulls++;
  }

  #grow(): void {
    const numbers = new Float64Array(this.#length * 2);
    numbers.set(this.#numbers);
    this.#numbers = numbers;
    const present = new Uint8Array(this.#length * 2);
    present.set(this.#present);
    this.#present = present;
  }

  get nulls(): number {
    return this.#nulls;
  }

  /** 1 where there is a value, 0 where there is none. */
  present(): Uint8Array {
    return this.#present.subarray(0, this.#length);
  }

  /** Without the nulls. */
  numbers(): Float64Array {
    const all = this.#numbers.subarray(0, this.#length);
    return this.#nulls === 0 ? all : all.filter((_, i) => this.#present[i] === 1);
  }

  clear(): void {
    this.#length = 0;
    this.#nulls = 0;
  }
}

/** Texts of one row group: each different one once, and which stands where. */
export class TextColumn {
  readonly spec: ColumnSpec;
  readonly #places = new Map<string, number>();
  #texts: string[] = [];
  #index = new Uint32Array(ROWS_FIRST);
  #length = 0;
  #nulls = 0;
  #characters = 0;

  constructor(spec: ColumnSpec) {
    this.spec = spec;
  }

  push(text: string): void {
    this.pushPlace(this.placeOf(text));
  }

  /** Where a text stands among the different ones: for what is pushed many times. Valid until `clear`. */
  placeOf(text: string): number {
    let place = this.#places.get(text);
    if (place === undefined) {
      place = this.#texts.length;
      this.#places.set(text, place);
      this.#texts.push(text);
      this.#characters += text.length;
    }
    return place;
  }

  pushPlace(place: number): void {
    if (this.#length === this.#index.length) {
      const index = new Uint32Array(this.#length * 2);
      index.set(this.#index);
      this.#index = index;
    }
    this.#index[this.#length++] = place;
  }

  pushNull(): void {
    this.pushPlace(NULL_INDEX);
    this.#nulls++;
  }

  get nulls(): number {
    return this.#nulls;
  }

  /** Of the different texts together. */
  get characters(): number {
    return this.#characters;
  }

  get texts(): readonly string[] {
    return this.#texts;
  }

  /** Place of each row's text, nulls included. */
  index(): Uint32Array {
    return this.#index.subarray(0, this.#length);
  }

  clear(): void {
    this.#places.clear();
    this.#texts = [];
    this.#length = 0;
    this.#nulls = 0;
    this.#characters = 0;
  }
}

export type Column = NumberColumn | TextColumn;
