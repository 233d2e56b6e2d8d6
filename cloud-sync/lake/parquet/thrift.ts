import { ByteWriter } from "../../contract/block/bytes.ts";

/** A field of Thrift's compact protocol: its id and what it holds; undefined is left out. */
export type ThriftField = readonly [id: number, value: ThriftValue | undefined];
export type ThriftValue =
  | { readonly i8: number }
  | { readonly i32: number }
  /** Safe integers only. */
  | { readonly i64: number }
  | { readonly bool: boolean }
  | { readonly bytes: Uint8Array | string }
  | { readonly struct: readonly ThriftField[] }
  | { readonly list: readonly ThriftValue[] };

const TYPE = { true: 1, false: 2, i8: 3, i32: 5, i64: 6, bytes: 8, list: 9, struct: 12 } as const;
const SHORT_MAX = 15;

/** A struct in Thrift's compact protocol, as Parquet's page headers and footer are written. */
export function thriftStruct(fields: readonly ThriftField[]): Buffer {
  const out = new ByteWriter(256);
  writeStruct(out, fields);
  return out.take();
}

function writeStruct(out: ByteWriter, fields: readonly ThriftField[]): void {
  let last = 0;
  for (const [id, value] of fields) {
    if (value === undefined) continue;
    out.u8(((id - last) << 4) | typeOf(value));
    last = id;
    if (!("bool" in value)) writeValue(out, value);
  }
  out.u8(0);
}

function writeValue(out: ByteWriter, value: ThriftValue): void {
  if ("i8" in value) out.u8(value.i8);
  else if ("i32" in value) out.zigzag(value.i32);
  else if ("i64" in value) out.zigzag(value.i64);
  else if ("struct" in value) writeStruct(out, value.struct);
  else if ("list" in value) writeList(out, value.list);
  else if ("bool" in value) out.u8(value.bool ? TYPE.true : TYPE.false);
  else if (typeof value.bytes === "string") out.text(value.bytes);
  else {
    out.varint(value.bytes.length);
    out.bytes(value.bytes);
  }
}

function writeList(out: ByteWriter, list: readonly ThriftValue[]): void {
  const type = list[0] === undefined ? TYPE.struct : typeOf(list[0]);
  if (list.length < SHORT_MAX) out.u8((list.length << 4) | type);
  else {
    out.u8((SHORT_MAX << 4) | type);
    out.varint(list.length);
  }
  for (const value of list) writeValue(out, value);
}

function typeOf(value: ThriftValue): number {
  if ("bool" in value) return value.bool ? TYPE.true : TYPE.false;
  if ("i8" in value) return TYPE.i8;
  if ("i32" in value) return TYPE.i32;
  if ("i64" in value) return TYPE.i64;
  if ("bytes" in value) return TYPE.bytes;
  return "list" in value ? TYPE.list : TYPE.struct;
}
