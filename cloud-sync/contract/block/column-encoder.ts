import type { SampleValue } from "../sample.ts";
import { type Blob, blobOf, encodeBlob } from "./blob.ts";
import { ByteWriter } from "./bytes.ts";
import { codeOddness } from "./column-decoder.ts";
import { DEPTH_MAX, DICTIONARY_MAX, Kind } from "./column-kind.ts";
import { codeIndexes } from "./index-column.ts";
import { codeIntegers, type IntegerPlan, planIntegers } from "./integer-column.ts";
import { FORMS, formsOf, integerOf, type NumberForm } from "./number-form.ts";
import { INTEGER_MAX } from "./predictor.ts";
import { type Coder, directWide } from "./range-coder.ts";
import { RangeEncoder } from "./range-encoder.ts";
import { writeTagged } from "./tagged-value.ts";
import { fromArray, pick, type Values, valueAt, valuesOf } from "./values.ts";
import { encodeWide, type WideType } from "./wide-column.ts";

type Write = (coder: Coder) => void;
interface Dictionary {
  readonly entries: SampleValue[];
  readonly indexes: Uint32Array;
  readonly blob: Blob;
}
const word = new DataView(new ArrayBuffer(8));
/** Numbers of more distinct values are better off as integers. */
const NUMBER_DICTIONARY_MAX = 12;
const INT64_MIN = -(2n ** 63n);
const INT64_MAX = 2n ** 63n - 1n;
const UINT64_MAX = 2n ** 64n - 1n;

/**
 * Writes a column in the smallest of the ways that fit its values: where estimates do not decide, they are tried.
 * @throws BlockError limit on a value that no block can hold
 */
export class ColumnEncoder {
  readonly #scratch = new RangeEncoder();
  readonly #spare: RangeEncoder[] = [];

  encode(coder: Coder, values: Values, depth = 0): void {
    const count = values.numbers.length;
    if (count === 0) return;
    const dictionary = dictionaryOf(values);
    const ways: Write[] = [];
    if (dictionary !== undefined) ways.push((to) => writeDictionary(to, dictionary));
    if (dictionary?.entries.length !== 1 && depth < DEPTH_MAX - 1) ways.push(...this.#waysOfMost(values, depth));
    if (ways.length === 0) ways.push((to) => writeTaggedColumn(to, values));
    this.#smallest(ways)(coder);
  }

  #smallest(ways: readonly Write[]): Write {
    let best = ways[0] as Write;
    if (ways.length === 1) return best;
    let bestBytes = Number.POSITIVE_INFINITY;
    // Ways nest (odd values, elements of arrays), so a trial under way keeps its encoder.
    const trial = this.#spare.pop() ?? new RangeEncoder();
    for (const way of ways) {
      trial.reset();
      way(trial);
      if (trial.estimatedBytes < bestBytes) {
        best = way;
        bestBytes = trial.estimatedBytes;
      }
    }
    this.#spare.push(trial);
    return best;
  }

  /** Ways that are made for most of the values, those that they do not suit set apart. */
  #waysOfMost(values: Values, depth: number): Write[] {
    const { others } = values;
    if (others === null) return this.#waysOfNumbers(values, depth);
    const count = values.numbers.length;
    for (const kind of ["number", "bigint", "array"] as const) {
      let fitting = 0;
      for (let i = 0; i < count; i++) if (kindOf(others[i]) === kind) fitting++;
      if (fitting * 2 < count) continue;
      const ways = (some: Values, below: number): Write[] => {
        if (kind === "number") return this.#waysOfNumbers(valuesOf(some.numbers), below);
        return kind === "bigint" ? this.#waysOfBigInts(some, below) : [(to) => this.#writeArrays(to, some, below)];
      };
      if (fitting === count) return ways(values, depth);
      return this.#apart(
        values,
        Uint8Array.from(values.numbers, (_, i) => (kindOf(others[i]) === kind ? 0 : 1)),
        depth,
        ways,
      );
    }
    return [];
  }

  #apart(values: Values, odd: Uint8Array, depth: number, ways: (plain: Values, depth: number) => Write[]): Write[] {
    const oddValues = pick(values, placesWhere(odd, 1));
    const plain = pick(values, placesWhere(odd, 0));
    return ways(plain, depth + 1).map((way) => (to) => {
      to.direct(Kind.Odd, 3);
      codeOddness(to, odd);
      this.encode(to, oddValues, depth + 1);
      way(to);
    });
  }

  #waysOfNumbers(values: Values, depth: number): Write[] {
    const forms = formsOf(values.numbers);
    const ways = forms.flatMap((form) => this.#waysOfForm(values, form, depth));
    const first = forms[0];
    const isClear = (first?.form === "decimal" || first?.form === "decimal32") && first.scale < 5;
    if (!isClear) ways.push((to) => writeWide(to, values, "float64"));
    return ways;
  }

  #waysOfForm(values: Values, form: NumberForm, depth: number): Write[] {
    const count = values.numbers.length;
    const integers = new Float64Array(count);
    let odd = 0;
    for (let i = 0; i < count; i++) {
      const integer = integerOf(values.numbers[i] as number, form);
      integers[i] = integer;
      if (Number.isNaN(integer)) odd++;
    }
    if (odd === 0) return [this.#integersWay(integers, form)];
    if (odd === count) return [];
    const places = Uint8Array.from(integers, (integer) => (Number.isNaN(integer) ? 1 : 0));
    const fitting = integers.filter((integer) => !Number.isNaN(integer));
    return this.#apart(values, places, depth, () => [this.#integersWay(fitting, form)]);
  }

  #waysOfBigInts(values: Values, depth: number): Write[] {
    const list = (values.others ?? []) as readonly bigint[];
    const limit = BigInt(INTEGER_MAX);
    const large = new Uint8Array(list.length);
    let isLarge = 0;
    for (let i = 0; i < list.length; i++) {
      const value = list[i] as bigint;
      if (value <= limit && value >= -limit) continue;
      large[i] = 1;
      isLarge++;
    }
    const asIntegers = (some: Values): Write[] => [
      this.#integersWay(some.numbers.slice(), { form: "bigint", scale: 0, factor: 1 }),
    ];
    if (isLarge === 0) return asIntegers(values);
    if (isLarge * 12 < list.length) return this.#apart(values, large, depth, asIntegers);
    if (list.every((value) => value >= INT64_MIN && value <= INT64_MAX))
      return [(to) => writeWide(to, values, "int64")];
    if (list.every((value) => value >= 0n && value <= UINT64_MAX)) return [(to) => writeWide(to, values, "uint64")];
    return [];
  }

  #integersWay(integers: Float64Array, form: NumberForm): Write {
    let plan: IntegerPlan | undefined;
    return (to) => {
      to.direct(Kind.Integers, 3);
      to.direct(FORMS.indexOf(form.form), 3);
      if (form.form === "decimal" || form.form === "decimal32") to.direct(form.scale, 4);
      if (form.form === "product") {
        word.setFloat64(0, form.factor);
        directWide(to, word.getUint32(0), 32);
        directWide(to, word.getUint32(4), 32);
      }
      plan ??= planIntegers(integers, this.#scratch);
      codeIntegers(to, integers, plan);
    };
  }

  #writeArrays(to: Coder, values: Values, depth: number): void {
    const arrays = (values.others ?? []) as readonly (readonly SampleValue[])[];
    to.direct(Kind.Arrays, 3);
    this.encode(to, valuesOf(Float64Array.from(arrays, (array) => array.length)), depth + 1);
    this.encode(to, fromArray(arrays.flat()), depth + 1);
  }
}

function writeWide(to: Coder, values: Values, type: WideType): void {
  to.direct(Kind.Wide, 3);
  encodeWide(to, values, type);
}

function writeDictionary(to: Coder, { entries, indexes, blob }: Dictionary): void {
  to.direct(Kind.Dictionary, 3);
  to.direct(entries.length, 8);
  encodeBlob(to, blob);
  if (entries.length > 1) codeIndexes(to, indexes, entries.length);
}

function writeTaggedColumn(to: Coder, values: Values): void {
  to.direct(Kind.Tagged, 3);
  encodeBlob(to, blobOf(tagged(Array.from(values.numbers, (_, i) => valueAt(values, i)))));
}

function tagged(list: readonly SampleValue[]): Buffer {
  const out = new ByteWriter();
  for (const value of list) writeTagged(out, value);
  return out.take();
}

/** Distinct values in the order of their first use; undefined when there are too many of them. */
function dictionaryOf(values: Values): Dictionary | undefined {
  const count = values.numbers.length;
  const indexOf = new Map<string | number | bigint | boolean | null, number>();
  const entries: SampleValue[] = [];
  const indexes = new Uint32Array(count);
  const entriesMax = values.others === null ? NUMBER_DICTIONARY_MAX : DICTIONARY_MAX;
  let previousKey: string | number | bigint | boolean | null | undefined;
  let index = 0;
  for (let i = 0; i < count; i++) {
    const value = valueAt(values, i);
    const key = keyOf(value);
    if (i === 0 || key !== previousKey) {
      previousKey = key;
      const known = indexOf.get(key);
      index = known ?? entries.length;
      if (known === undefined) {
        if (entries.length >= entriesMax || entries.length > 8 + i / 2) return undefined;
        indexOf.set(key, index);
        entries.push(value);
      }
    }
    indexes[i] = index;
  }
  return { entries, indexes, blob: blobOf(tagged(entries)) };
}

function keyOf(value: SampleValue): string | number | bigint | boolean | null {
  if (typeof value === "number") return value === 0 && Object.is(value, -0) ? "-0" : value;
  if (typeof value === "string") return `s${value}`;
  if (typeof value === "object" && value !== null) return `a${tagged([value]).toString("latin1")}`;
  return value;
}

function kindOf(other: SampleValue | undefined): "number" | "bigint" | "array" | "rest" {
  if (other === undefined) return "number";
  if (typeof other === "bigint") return "bigint";
  return typeof other === "object" && other !== null ? "array" : "rest";
}

function placesWhere(flags: Uint8Array, wanted: number): Uint32Array {
  const places: number[] = [];
  for (let i = 0; i < flags.length; i++) if (flags[i] === wanted) places.push(i);
  return Uint32Array.from(places);
}
