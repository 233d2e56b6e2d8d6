import { decodeCells } from "../drivers/modbus/decode.ts";
import type { Address } from "../kernel/config/address.ts";
import { severityOf, statusName } from "../kernel/status-code.ts";
import type { Cli } from "./cli.ts";
import { parseCount } from "./duration.ts";
import { checkExpectable, explainModbus } from "./explain-modbus.ts";
import { parseRegisterSpec, type RegisterSpec } from "./register-spec.ts";
import { tableLines } from "./table.ts";
import { valueText } from "./text.ts";

type ModbusAddress = Extract<Address, { protocol: "modbus" }>;

const DEFAULT_UNIT_ID = 1;

interface ModbusReadOptions {
  readonly unit?: string;
  readonly expect?: string;
}

/** Reads registers or coils of a device: raw, decoded, or, with --expect, every decoding ranked (P20). */
export async function readModbus(
  cli: Cli,
  { transport, unitId: addressUnitId }: ModbusAddress,
  what: readonly string[],
  options: ModbusReadOptions,
): Promise<void> {
  const specs = what.map(parseRegisterSpec);
  if (options.expect !== undefined) checkExpectable(specs);
  const unitId =
    options.unit === undefined
      ? (addressUnitId ?? DEFAULT_UNIT_ID)
      : parseCount(options.unit, { min: 0, max: 255, what: "a unit id" });
  const { readRegisters } = await import("../drivers/modbus/probe.ts");
  const read = ({ table, address: start, count }: Pick<RegisterSpec, "table" | "address" | "count">) =>
    readRegisters(transport, { unitId, table, start, count }, { signal: cli.signal });
  const [first] = specs;
  if (options.expect !== undefined && first !== undefined) return explainModbus(cli, first, options.expect, read);
  const rows: ReturnType<typeof valuesOf> = [];
  for (const spec of specs) rows.push(...valuesOf(spec, await read(spec)));
  if (rows.some(({ statusCode }) => severityOf(statusCode) === "bad")) cli.problemFound();
  await cli.output.result({ unitId, values: rows.map((row) => ({ ...row, status: statusName(row.statusCode) })) }, () =>
    tableLines(
      [{ title: "ADDRESS" }, { title: "TYPE" }, { title: "VALUE", align: "right" }, { title: "REGISTERS" }],
      rows.map(({ table, address, type, value, statusCode, cells }) => [
        `${table} ${address}`,
        type,
        severityOf(statusCode) === "bad" ? cli.output.paint("bad", statusName(statusCode)) : valueText(value),
        table === "holding" || table === "input" ? cells.map(hex).join(" ") : "",
      ]),
    ),
  );
}

function valuesOf({ table, address, value: wanted }: RegisterSpec, cells: readonly number[]) {
  const isBits = table === "coil" || table === "discrete";
  if (wanted === null) {
    return cells.map((cell, index) => ({
      table,
      address: address + index,
      type: isBits ? "boolean" : "uint16",
      value: isBits ? cell !== 0 : cell,
      statusCode: 0,
      cells: [cell],
    }));
  }
  const { type, order, lengthBytes } = wanted;
  const byteOrder = order === "ABCD" || order === "CDAB" ? "big" : "little";
  const wordOrder = order === "ABCD" || order === "BADC" ? "big" : "little";
  const layout = { table, type, bit: null, lengthBytes, byteOrder, wordOrder, scale: 1, offset: 0 } as const;
  const name = lengthBytes === null ? `${type} ${order}` : `string${lengthBytes} ${order}`;
  return [{ table, address, type: name, ...decodeCells(cells, layout), cells }];
}

function hex(register: number): string {
  return register.toString(16).padStart(4, "0");
}
