import type { ByteWriter } from "../../../cloud-sync/contract/block/bytes.ts";
import type { SampleValue, ScalarValue } from "../../../cloud-sync/contract/sample.ts";
import type { ByteReader } from "../byte-reader.ts";

/** Values that are not numbers of a known form, one kind byte and what it announces. */
const Kind = { Null: 0, False: 1, True: 2, Float64: 3, String: 4, BigInt: 5, Array: 6 } as const;

export function writeOther(out: ByteWriter, value: SampleValue): void {
  if (Array.isArray(value)) {
    out.u8(Kind.Array);
    out.varint(value.length);
    for (const element of value as readonly ScalarValue[]) writeScalar(out, element);
  } else writeScalar(out, value as ScalarValue);
}

function writeScalar(out: ByteWriter, value: ScalarValue): void {
  if (value === null) out.u8(Kind.Null);
  else if (typeof value === "boolean") out.u8(value ? Kind.True : Kind.False);
  else if (typeof value === "number") {
    out.u8(Kind.Float64);
    out.f64(value);
  } else if (typeof value === "string") {
    out.u8(Kind.String);
    out.text(value);
  } else {
    out.u8(Kind.BigInt);
    out.text(value.toString());
  }
}

/** @throws RangeError, SyntaxError when the bytes are no value */
export function readOther(input: ByteReader): SampleValue {
  const kind = input.u8();
  if (kind !== Kind.Array) return readScalar(input, kind);
  const length = input.varint();
  if (length > input.left) throw new RangeError("array longer than its chunk");
  return Array.from({ length }, () => readScalar(input, input.u8()));
}

function readScalar(input: ByteReader, kind: number): ScalarValue {
  switch (kind) {
    case Kind.Null:
      return null;
    case Kind.False:
      return false;
    case Kind.True:
      return true;
    case Kind.Float64:
      return input.f64();
    case Kind.String:
      return input.text();
    case Kind.BigInt:
      return BigInt(input.text());
    default:
      throw new RangeError(`value kind ${kind}`);
  }
}

/** The same bits? -0 and 0 are not the same, NaN is NaN; arrays never are, for they are rare and dear to compare. */
export function isSameValue(a: SampleValue | undefined, b: SampleValue): boolean {
  return typeof b !== "object" || b === null ? Object.is(a, b) : false;
}
