import { fairBits } from "./adaptive-bit.ts";
import { malformed } from "./block-error.ts";
import { type Coder, directWide } from "./range-coder.ts";
import type { Values } from "./values.ts";

/**
 * Numbers of 64 bits that no integer of a form stands for: arbitrary doubles, int64 and uint64 beyond 2^51. Each is mapped to
 * an unsigned integer in the order of the numbers; of the difference to the one before (modulo 2^64, signed) the length
 * is coded by models, then the sign, then the bits below the leading one as they are.
 */
export const WIDE_TYPES = ["float64", "int64", "uint64"] as const;
export type WideType = (typeof WIDE_TYPES)[number];

const bits = new DataView(new ArrayBuffer(8));
const LENGTH_NODES = 128;

export function encodeWide(coder: Coder, values: Values, type: WideType): void {
  coder.direct(WIDE_TYPES.indexOf(type), 2);
  codeWords(coder, values.numbers.length, (index) => {
    if (type === "float64") bits.setFloat64(0, values.numbers[index] as number);
    else bits.setBigUint64(0, BigInt.asUintN(64, values.others?.[index] as bigint));
    const high = bits.getUint32(0);
    const low = bits.getUint32(4);
    if (type === "uint64") return [high, low];
    if (type === "int64" || high < 0x8000_0000) return [(high ^ 0x8000_0000) >>> 0, low];
    return [~high >>> 0, ~low >>> 0];
  });
}

export function decodeWide(coder: Coder, count: number): Values {
  const type = WIDE_TYPES[coder.direct(0, 2)];
  if (type === undefined) throw malformed("an unknown type of 64 bits");
  const numbers = new Float64Array(count);
  const others: bigint[] | null = type === "float64" ? null : new Array<bigint>(count);
  codeWords(coder, count, undefined, (index, high, low) => {
    if (type === "float64") {
      const positive = high >= 0x8000_0000;
      bits.setUint32(0, positive ? high ^ 0x8000_0000 : ~high);
      bits.setUint32(4, positive ? low : ~low);
      numbers[index] = bits.getFloat64(0);
      return;
    }
    bits.setUint32(0, type === "int64" ? high ^ 0x8000_0000 : high);
    bits.setUint32(4, low);
    const value = type === "int64" ? bits.getBigInt64(0) : bits.getBigUint64(0);
    if (others !== null) others[index] = value;
    numbers[index] = Number(value);
  });
  return { numbers, others };
}

function codeWords(
  coder: Coder,
  count: number,
  read?: (index: number) => readonly [number, number],
  write?: (index: number, high: number, low: number) => void,
): void {
  const lengthBits = fairBits(LENGTH_NODES);
  const signBits = fairBits(1);
  let previousHigh = 0x8000_0000;
  let previousLow = 0;
  for (let i = 0; i < count; i++) {
    const [high, low] = read?.(i) ?? [previousHigh, previousLow];
    let deltaLow = (low - previousLow) >>> 0;
    let deltaHigh = (high - previousHigh - (low < previousLow ? 1 : 0)) >>> 0;
    let negative = deltaHigh >>> 31;
    if (negative === 1) [deltaHigh, deltaLow] = negated(deltaHigh, deltaLow);
    const length = codeLength(
      coder,
      lengthBits,
      deltaHigh > 0 ? 64 - Math.clz32(deltaHigh) : 32 - Math.clz32(deltaLow),
    );
    if (length > 0) {
      negative = coder.bit(signBits, 0, negative);
      [deltaHigh, deltaLow] = codeBelow(coder, length, deltaHigh, deltaLow);
      if (negative === 1) [deltaHigh, deltaLow] = negated(deltaHigh, deltaLow);
      const sum = previousLow + deltaLow;
      previousHigh = (previousHigh + deltaHigh + (sum > 0xffff_ffff ? 1 : 0)) >>> 0;
      previousLow = sum >>> 0;
    }
    write?.(i, previousHigh, previousLow);
  }
}

function codeLength(coder: Coder, models: Int32Array, length: number): number {
  let node = 1;
  for (let shift = 6; shift >= 0; shift--) node = (node << 1) | coder.bit(models, node, (length >> shift) & 1);
  const result = node - LENGTH_NODES;
  if (result > 64) throw malformed(`an integer of ${result} bits`);
  return result;
}

function codeBelow(coder: Coder, length: number, high: number, low: number): [number, number] {
  if (length > 32) {
    const leading = 2 ** (length - 33);
    return [leading + directWide(coder, high - leading, length - 33), directWide(coder, low, 32)];
  }
  const leading = 2 ** (length - 1);
  return [0, leading + directWide(coder, low - leading, length - 1)];
}

function negated(high: number, low: number): [number, number] {
  return [(~high + (low === 0 ? 1 : 0)) >>> 0, -low >>> 0];
}
