import type { ScalarValue } from "../sample.ts";
import { fairBits } from "./adaptive-bit.ts";
import { decodeBlob } from "./blob.ts";
import { BlockError, malformed } from "./block-error.ts";
import { ByteReader } from "./bytes.ts";
import { DEPTH_MAX, DICTIONARY_MAX, Kind } from "./column-kind.ts";
import { codeIndexes } from "./index-column.ts";
import { codeIntegers } from "./integer-column.ts";
import { FORMS, type NumberForm, numberOf, SCALE_MAX } from "./number-form.ts";
import { type Coder, directWide } from "./range-coder.ts";
import { readTagged } from "./tagged-value.ts";
import type { Budget } from "./text-pack.ts";
import { fromArray, type Values, valueAt, valuesOf } from "./values.ts";
import { decodeWide } from "./wide-column.ts";

const word = new DataView(new ArrayBuffer(8));

/** Reads a column of `count` values. @throws BlockError */
export function decodeColumn(coder: Coder, count: number, budget: Budget, depth = 0): Values {
  if (count === 0) return valuesOf(new Float64Array(0));
  if (depth > DEPTH_MAX) throw malformed("columns are nested too deep");
  const kind = coder.direct(0, 3);
  switch (kind) {
    case Kind.Dictionary:
      return decodeDictionary(coder, count, budget);
    case Kind.Integers:
      return decodeIntegers(coder, count);
    case Kind.Wide:
      return decodeWide(coder, count);
    case Kind.Tagged:
      return decodeTagged(coder, count, budget);
    case Kind.Arrays:
      return decodeArrays(coder, count, budget, depth);
    case Kind.Odd:
      return decodeOdd(coder, count, budget, depth);
    default:
      throw malformed(`column kind ${kind}`);
  }
}

function decodeDictionary(coder: Coder, count: number, budget: Budget): Values {
  const size = coder.direct(0, 8);
  if (size < 1 || size > DICTIONARY_MAX) throw malformed(`a dictionary of ${size} entries`);
  const entries = readAll(decodeBlob(coder, budget), size);
  const indexes = new Uint32Array(count);
  if (size > 1) codeIndexes(coder, indexes, size);
  const numbers = new Float64Array(count);
  for (let i = 0; i < count; i++) numbers[i] = entries.numbers[indexes[i] as number] as number;
  if (entries.others === null) return valuesOf(numbers);
  return { numbers, others: Array.from(indexes, (index) => entries.others?.[index]) };
}

function readAll(blob: Uint8Array, count: number): Values {
  const input = new ByteReader(blob);
  if (count > input.left) throw malformed(`${count} values in ${input.left} bytes`);
  const list = [];
  for (let i = 0; i < count; i++) list.push(readTagged(input));
  input.end("the values of a column");
  return fromArray(list);
}

function decodeTagged(coder: Coder, count: number, budget: Budget): Values {
  const blob = decodeBlob(coder, budget);
  // An element is a byte at least, so the bytes bound the elements.
  return readAll(blob, count);
}

function decodeIntegers(coder: Coder, count: number): Values {
  const form = decodeForm(coder);
  const integers = new Float64Array(count);
  codeIntegers(coder, integers, { smoothing: 0, holds: false, step: 1 });
  const others = form.form === "bigint" ? Array.from(integers, (integer) => BigInt(integer)) : null;
  for (let i = 0; i < count; i++) integers[i] = numberOf(integers[i] as number, form);
  return { numbers: integers, others };
}

function decodeForm(coder: Coder): NumberForm {
  const form = FORMS[coder.direct(0, 3)];
  if (form === undefined) throw malformed("an unknown form of numbers");
  const scale = form === "decimal" || form === "decimal32" ? coder.direct(0, 4) : 0;
  if (scale > SCALE_MAX) throw malformed(`numbers of ${scale} places`);
  if (form !== "product") return { form, scale, factor: 1 };
  word.setUint32(0, directWide(coder, 0, 32));
  word.setUint32(4, directWide(coder, 0, 32));
  return { form, scale, factor: word.getFloat64(0) };
}

function decodeArrays(coder: Coder, count: number, budget: Budget, depth: number): Values {
  const lengths = decodeColumn(coder, count, budget, depth + 1).numbers;
  let total = 0;
  for (const length of lengths) {
    if (!(Number.isInteger(length) && length >= 0)) throw malformed(`an array of length ${length}`);
    total += length;
  }
  if (total > budget.elements)
    throw new BlockError("limit", `arrays of ${total} elements where ${budget.elements} may be`);
  budget.elements -= total;
  const elements = decodeColumn(coder, total, budget, depth + 1);
  let at = 0;
  const others = Array.from(lengths, (length) => {
    const list: ScalarValue[] = [];
    for (const end = at + length; at < end; at++) {
      const element = valueAt(elements, at);
      if (typeof element === "object" && element !== null) throw malformed("an array within an array");
      list.push(element);
    }
    return list;
  });
  return { numbers: new Float64Array(count).fill(Number.NaN), others };
}

function decodeOdd(coder: Coder, count: number, budget: Budget, depth: number): Values {
  const places = new Uint8Array(count);
  const odd = codeOddness(coder, places);
  const oddValues = decodeColumn(coder, odd, budget, depth + 1);
  const plain = decodeColumn(coder, count - odd, budget, depth + 1);
  const numbers = new Float64Array(count);
  const others = oddValues.others === null && plain.others === null ? null : new Array<undefined>(count);
  const merged: Values = { numbers, others };
  let atOdd = 0;
  let atPlain = 0;
  for (let i = 0; i < count; i++) {
    const from = places[i] === 1 ? oddValues : plain;
    const at = places[i] === 1 ? atOdd++ : atPlain++;
    numbers[i] = from.numbers[at] as number;
    if (merged.others !== null && from.others !== null) merged.others[i] = from.others[at];
  }
  return merged;
}

/** Bit by bit, each by the two before; gives how many are set. */
export function codeOddness(coder: Coder, places: Uint8Array): number {
  const models = fairBits(4);
  let history = 0;
  let odd = 0;
  for (let i = 0; i < places.length; i++) {
    const bit = coder.bit(models, history, places[i] as number);
    history = ((history << 1) | bit) & 3;
    places[i] = bit;
    odd += bit;
  }
  return odd;
}
