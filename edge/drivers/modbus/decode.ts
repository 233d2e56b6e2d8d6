import type { ScalarValue } from "../../../cloud-sync/contract/sample.ts";
import type { ModbusSignal } from "../../kernel/config/model.ts";
import { StatusCode } from "../../kernel/status-code.ts";

export type ModbusType = ModbusSignal["type"];

/** What decoding needs to know of a signal. */
export type Layout = Pick<
  ModbusSignal,
  "table" | "type" | "bit" | "lengthBytes" | "byteOrder" | "wordOrder" | "scale" | "offset"
>;

const WIDTH_BITS: Readonly<Record<Exclude<ModbusType, "string">, number>> = {
  boolean: 16,
  int8: 16,
  uint8: 16,
  int16: 16,
  uint16: 16,
  int32: 32,
  uint32: 32,
  float32: 32,
  int64: 64,
  uint64: 64,
  float64: 64,
};

/** How many cells of its table a value takes: coils and discrete inputs for bits, 16-bit registers otherwise. */
export function cellCountOf(layout: Pick<Layout, "table" | "type" | "lengthBytes">): number {
  if (layout.table === "coil" || layout.table === "discrete") return 1;
  if (layout.type === "string") return Math.max(1, Math.ceil((layout.lengthBytes ?? 0) / 2));
  return WIDTH_BITS[layout.type] / 16;
}

/** The value's bytes, most significant first (strings: first character first), from its registers as they arrived. */
export function bytesOf(words: readonly number[], layout: Pick<Layout, "type" | "byteOrder" | "wordOrder">): Buffer {
  // A string runs along the addresses; word order is a matter of numbers wider than a register.
  const ordered = layout.wordOrder === "little" && layout.type !== "string" ? words.toReversed() : words;
  const bytes = Buffer.alloc(ordered.length * 2);
  ordered.forEach((word, i) => {
    if (layout.byteOrder === "little") bytes.writeUInt16LE(word, i * 2);
    else bytes.writeUInt16BE(word, i * 2);
  });
  return bytes;
}

/**
 * One value from the first of these cells (registers 0..65535, or 0 and 1 for coils), scaled: raw × scale + offset. 64-bit integers are
 * bigint unless scaled. A boolean takes `bit` of its register, or says whether the register is not 0. Eight-bit types
 * take the register's less significant byte, after the byte order. A float that is not finite has no value: BadOutOfRange.
 */
export function decodeCells(cells: readonly number[], layout: Layout): { value: ScalarValue; statusCode: number } {
  const count = cellCountOf(layout);
  if (cells.length < count) return { value: null, statusCode: StatusCode.BadDecodingError };
  // Only its own registers: word order would carry in those that follow. A string of no stated length takes all of them.
  const isWhole = cells.length === count || (layout.type === "string" && layout.lengthBytes === null);
  const bytes = bytesOf(isWhole ? cells : cells.slice(0, count), layout);
  switch (layout.type) {
    case "boolean": {
      if (layout.table === "coil" || layout.table === "discrete") return good(cells[0] !== 0);
      const register = bytes.readUInt16BE(0);
      return good(layout.bit === null ? register !== 0 : ((register >> layout.bit) & 1) === 1);
    }
    case "string":
      return good(textOf(bytes.subarray(0, layout.lengthBytes ?? bytes.length)));
    case "int8":
      return scaledInteger(bytes.readInt8(1), layout);
    case "uint8":
      return scaledInteger(bytes.readUInt8(1), layout);
    case "int16":
      return scaledInteger(bytes.readInt16BE(0), layout);
    case "uint16":
      return scaledInteger(bytes.readUInt16BE(0), layout);
    case "int32":
      return scaledInteger(bytes.readInt32BE(0), layout);
    case "uint32":
      return scaledInteger(bytes.readUInt32BE(0), layout);
    case "int64":
      return isScaled(layout) ? scaledInteger(Number(bytes.readBigInt64BE(0)), layout) : good(bytes.readBigInt64BE(0));
    case "uint64":
      return isScaled(layout)
        ? scaledInteger(Number(bytes.readBigUInt64BE(0)), layout)
        : good(bytes.readBigUInt64BE(0));
    case "float32":
      return finite(bytes.readFloatBE(0) * layout.scale + layout.offset);
    case "float64":
      return finite(bytes.readDoubleBE(0) * layout.scale + layout.offset);
  }
}

function good(value: ScalarValue) {
  return { value, statusCode: StatusCode.Good };
}

function finite(value: number) {
  return Number.isFinite(value) ? good(value) : { value: null, statusCode: StatusCode.BadOutOfRange };
}

function isScaled({ scale, offset }: Layout): boolean {
  return scale !== 1 || offset !== 0;
}

/** Fifteen digits are what a double holds for certain: 123 × 0.1 is 12.3 and not 12.300000000000001. */
function scaledInteger(raw: number, layout: Layout) {
  return good(isScaled(layout) ? Number((raw * layout.scale + layout.offset).toPrecision(15)) : raw);
}

const utf8 = new TextDecoder("utf-8", { fatal: true });

/** Text up to the first NUL, without the blanks that pad it; bytes that are no UTF-8 are read as Latin-1. */
function textOf(bytes: Buffer): string {
  const end = bytes.indexOf(0);
  const content = end === -1 ? bytes : bytes.subarray(0, end);
  let text: string;
  try {
    text = utf8.decode(content);
  } catch {
    text = content.toString("latin1");
  }
  return text.trimEnd();
}
