import type { ModbusTable } from "./model.ts";

const TABLE_BY_DIGIT: Readonly<Record<string, ModbusTable>> = {
  "0": "coil",
  "1": "discrete",
  "3": "input",
  "4": "holding",
};

export const REFERENCE_HINT =
  'write five digits ("40001" to "49999") or six ("400001" to "465536") in quotes; the first digit names the table: 0 coil, 1 discrete input, 3 input register, 4 holding register';

/**
 * The table and zero-based address of a one-based register reference as manuals print it: "40001" and "400001" are holding
 * register 0. A number instead of a text has lost its leading zeros, so coils need quotes. Undefined when it is none.
 */
export function parseReference(reference: string | number): { table: ModbusTable; address: number } | undefined {
  const text = String(reference);
  if (text.length !== 5 && text.length !== 6) return undefined;
  const table = TABLE_BY_DIGIT[text.charAt(0)];
  const number = Number(text.slice(1));
  if (table === undefined || !/^\d+$/.test(text) || number < 1 || number > 65_536) return undefined;
  return { table, address: number - 1 };
}

/** The reference that someone probably copied from a manual into a zero-based address, or undefined. */
export function looksLikeReference(table: ModbusTable, address: number): string | undefined {
  const parsed = address >= 10_000 ? parseReference(address) : undefined;
  return parsed?.table === table ? String(address) : undefined;
}
