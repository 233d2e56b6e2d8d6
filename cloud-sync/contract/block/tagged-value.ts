import type { SampleValue, ScalarValue } from "../sample.ts";
import { BlockError, malformed } from "./block-error.ts";
import type { ByteReader, ByteWriter } from "./bytes.ts";
import { BIGINT_BYTES_MAX } from "./limits.ts";

/** Any value by itself: tag u8, then what the tag says. An array holds scalars only. */
const Tag = {
  Null: 0,
  False: 1,
  True: 2,
  /** zigzag varint */
  Integer: 3,
  /** places u8, zigzag varint: k / 10^places */
  Decimal: 4,
  /** f64, little endian; NaN of any payload is one */
  Float64: 5,
  /** length varint, UTF-8 */
  String: 6,
  /** length varint, magnitude little endian */
  BigInt: 7,
  NegativeBigInt: 8,
  /** count varint, tagged scalars */
  Array: 9,
  /** f32 bits as u32 */
  Float32: 10,
} as const;

const DECIMAL_MAX = 2 ** 45;
const bits = new DataView(new ArrayBuffer(4));

export function writeTagged(out: ByteWriter, value: SampleValue): void {
  if (typeof value === "number") writeNumber(out, value);
  else if (value === null) out.u8(Tag.Null);
  else if (typeof value === "boolean") out.u8(value ? Tag.True : Tag.False);
  else if (typeof value === "string") {
    out.u8(Tag.String);
    out.text(value);
  } else if (typeof value === "bigint") writeBigInt(out, value);
  else {
    out.u8(Tag.Array);
    out.varint(value.length);
    for (const element of value) {
      if (typeof element === "object" && element !== null) {
        throw new BlockError("limit", "an array within an array cannot be encoded");
      }
      writeTagged(out, element);
    }
  }
}

export function readTagged(input: ByteReader): SampleValue {
  const tag = input.u8();
  if (tag !== Tag.Array) return readScalar(input, tag);
  const length = input.varint(input.left);
  const elements: ScalarValue[] = [];
  for (let i = 0; i < length; i++) elements.push(readScalar(input, input.u8()));
  return elements;
}

function writeNumber(out: ByteWriter, value: number): void {
  for (let places = 0; places < 4; places++) {
    const power = 10 ** places;
    const k = Math.round(value * power);
    if (Math.abs(k) >= DECIMAL_MAX) break;
    if (k / power !== value || Object.is(value, -0)) continue;
    if (places === 0) out.u8(Tag.Integer);
    else {
      out.u8(Tag.Decimal);
      out.u8(places);
    }
    out.varint(k < 0 ? -2 * k - 1 : 2 * k);
    return;
  }
  if (Math.fround(value) === value) {
    out.u8(Tag.Float32);
    bits.setFloat32(0, value);
    out.u32(bits.getUint32(0));
    return;
  }
  out.u8(Tag.Float64);
  out.f64(value);
}

function writeBigInt(out: ByteWriter, value: bigint): void {
  out.u8(value < 0n ? Tag.NegativeBigInt : Tag.BigInt);
  const hex = (value < 0n ? -value : value).toString(16);
  const bytes = Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, "hex").reverse();
  if (bytes.length > BIGINT_BYTES_MAX) throw new BlockError("limit", `an integer of ${bytes.length} bytes`);
  out.varint(bytes.length);
  out.bytes(bytes);
}

function readScalar(input: ByteReader, tag: number): ScalarValue {
  switch (tag) {
    case Tag.Null:
      return null;
    case Tag.False:
      return false;
    case Tag.True:
      return true;
    case Tag.Integer:
      return unzigzag(input.varint());
    case Tag.Decimal: {
      const places = input.u8();
      if (places > 3) throw malformed(`a decimal of ${places} places`);
      return unzigzag(input.varint()) / 10 ** places;
    }
    case Tag.Float64:
      return input.f64();
    case Tag.Float32:
      bits.setUint32(0, input.u32());
      return bits.getFloat32(0);
    case Tag.String:
      return input.text();
    case Tag.BigInt:
      return readMagnitude(input);
    case Tag.NegativeBigInt:
      return -readMagnitude(input);
    default:
      throw malformed(`value tag ${tag}`);
  }
}

function readMagnitude(input: ByteReader): bigint {
  const bytes = input.bytes(input.varint(BIGINT_BYTES_MAX));
  return BigInt(`0x0${Buffer.from(bytes).reverse().toString("hex")}`);
}

function unzigzag(value: number): number {
  return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
}
