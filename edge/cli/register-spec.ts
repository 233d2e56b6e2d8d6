import { DATA_TYPES, type DataType, MODBUS_TABLES, type ModbusTable } from "../kernel/config/model.ts";
import { EdgeError } from "../kernel/errors.ts";

export const BYTE_ORDERS = ["ABCD", "CDAB", "BADC", "DCBA"] as const;
export type OrderName = (typeof BYTE_ORDERS)[number];

/** Registers or coils that a person asks for: raw ones by their count, or one value by its type. */
export interface RegisterSpec {
  readonly text: string;
  readonly table: ModbusTable;
  /** Zero-based PDU address. */
  readonly address: number;
  /** Registers, or coils. */
  readonly count: number;
  /** null: shown as they are. */
  readonly value: {
    readonly type: Exclude<DataType, "datetime">;
    readonly order: OrderName;
    readonly lengthBytes: number | null;
  } | null;
}

const REGISTERS_MAX = 125;
const BITS_MAX = 2_000;
const GRAMMAR = "holding:100:float32:CDAB, holding:100x4, input:7, coil:0x8 or holding:20:string12";

/**
 * "holding:100:float32:CDAB", "holding:100x4", "coil:12", "input:3:string12". Addresses are zero-based, as on the wire.
 * @throws EdgeError USAGE
 */
export function parseRegisterSpec(text: string): RegisterSpec {
  const [tableText = "", place = "", typeText, orderText = "ABCD", ...rest] = text.split(":");
  const table = MODBUS_TABLES.find((each) => each === tableText);
  if (table === undefined) throw wrong(text, `"${tableText}" is not a table: ${MODBUS_TABLES.join(", ")}`);
  const match = /^(\d{1,5})(?:x(\d{1,4}))?$/.exec(place);
  const address = Number(match?.[1]);
  if (!match || address > 0xffff)
    throw wrong(text, `"${place}" is not an address from 0 to 65535, nor one with a count (100x4)`);
  if (rest.length > 0) throw wrong(text, `"${rest.join(":")}" is too much`);
  const isBits = table === "coil" || table === "discrete";
  if (typeText !== undefined && (isBits || match[2] !== undefined)) {
    throw wrong(
      text,
      isBits ? "a coil or discrete input has no type but boolean" : "a type and a count exclude each other",
    );
  }
  const value = typeText === undefined ? null : parseType(text, typeText, orderText);
  const count = value === null ? Number(match[2] ?? 1) : registersOf(value.type, value.lengthBytes);
  const most = isBits ? BITS_MAX : REGISTERS_MAX;
  if (count < 1 || count > most) throw wrong(text, `one read takes 1 to ${most} of them, not ${count}`);
  if (address + count > 0x1_0000) throw wrong(text, `it ends at ${address + count - 1}, past the last address 65535`);
  return { text, table, address, count, value };
}

function parseType(text: string, typeText: string, orderText: string): NonNullable<RegisterSpec["value"]> {
  const stringLength = /^string(\d{1,3})$/.exec(typeText)?.[1];
  const type = stringLength === undefined ? DATA_TYPES.find((each) => each === typeText) : "string";
  if (type === undefined || type === "datetime") {
    throw wrong(text, `"${typeText}" is not a type: ${DATA_TYPES.filter((each) => each !== "datetime").join(", ")}`);
  }
  if (type === "string" && !stringLength) throw wrong(text, "a string needs its length in bytes, such as string12");
  const order = BYTE_ORDERS.find((each) => each === orderText.toUpperCase());
  if (order === undefined) throw wrong(text, `"${orderText}" is not an order: ${BYTE_ORDERS.join(", ")}`);
  return { type, order, lengthBytes: stringLength === undefined ? null : Number(stringLength) };
}

function registersOf(type: DataType, lengthBytes: number | null): number {
  if (lengthBytes !== null) return Math.ceil(lengthBytes / 2);
  if (type.endsWith("64")) return 4;
  return type.endsWith("32") ? 2 : 1;
}

function wrong(text: string, why: string): EdgeError {
  return new EdgeError("USAGE", `"${text}" does not name registers: ${why}`, { hint: `Write it like ${GRAMMAR}.` });
}
