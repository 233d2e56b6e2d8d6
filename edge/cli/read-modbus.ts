import { decodeCells } from "../drivers/modbus/decode.ts";
import type { Address } from "../kernel/config/address.ts";
import { EdgeError } from "../kernel/errors.ts";
import { severityOf, statusName } from "../kernel/status-code.ts";
import type { Cli } from "./cli.ts";
import { parseCount } from "./duration.ts";
import { parseRegisterSpec, type RegisterSpec } from "./register-spec.ts";
import { tableLines } from "./table.ts";
import { valueText } from "./text.ts";

type ModbusAddress = Extract<Address, { protocol: "modbus" }>;

const DEFAULT_UNIT_ID = 1;
const EXPLANATIONS_SHOWN = 12;

interface ModbusReadOptions {
  readonly unit?: string;
  readonly expect?: string;
}

interface Reading {
  readonly spec: RegisterSpec;
  readonly cells: readonly number[];
}

/** Reads registers or coils of a device: raw, decoded, or, with --expect, every decoding ranked (P20). */
export async function readModbus(
  cli: Cli,
  address: ModbusAddress,
  what: readonly string[],
  options: ModbusReadOptions,
): Promise<void> {
  const specs = what.map(parseRegisterSpec);
  const expected = options.expect === undefined ? undefined : parseExpected(options.expect, specs);
  const unitId =
    options.unit === undefined
      ? (address.unitId ?? DEFAULT_UNIT_ID)
      : parseCount(options.unit, { min: 0, max: 255, what: "a unit id" });
  const { readRegisters } = await import("../drivers/modbus/probe.ts");
  const readings: Reading[] = [];
  for (const spec of specs) {
    const { table, address: start, count } = spec;
    const { cells } = await readRegisters(address.transport, { unitId, table, start, count }, { signal: cli.signal });
    readings.push({ spec, cells });
  }
  if (expected !== undefined) return explain(cli, readings, expected);
  const rows = readings.flatMap(({ spec, cells }) => valuesOf(spec, cells));
  if (rows.some(({ statusCode }) => severityOf(statusCode) === "bad")) cli.problemFound();
  await cli.output.result({ unitId, values: rows.map((row) => ({ ...row, status: statusName(row.statusCode) })) }, () =>
    tableLines(
      [{ title: "ADDRESS" }, { title: "TYPE" }, { title: "VALUE", align: "right" }, { title: "REGISTERS" }],
      rows.map(({ table, address: at, type, value, statusCode, cells }) => [
        `${table} ${at}`,
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

/** @throws EdgeError USAGE */
function parseExpected(text: string, specs: readonly RegisterSpec[]): number {
  const expected = text.trim() === "" ? Number.NaN : Number(text.replace(",", "."));
  if (!Number.isFinite(expected))
    throw new EdgeError("USAGE", `"${text}" is not a number`, { hint: "Write --expect 55.2" });
  if (specs.length !== 1 || specs.some(({ table }) => table === "coil" || table === "discrete")) {
    throw new EdgeError("USAGE", "--expect looks into one run of registers", {
      hint: "Name it with its length, such as holding:100x4 or input:0x8; a few registers around the address help.",
    });
  }
  return expected;
}

async function explain(cli: Cli, readings: readonly Reading[], expected: number): Promise<void> {
  const reading = readings[0];
  if (reading === undefined) return;
  const { explainRegisters } = await import("../drivers/modbus/explain.ts");
  const found = explainRegisters(reading.cells, expected);
  const { table, address } = reading.spec;
  const shown = found.slice(0, EXPLANATIONS_SHOWN);
  if (shown.length === 0) cli.problemFound();
  await cli.output.result({ expected, table, address, explanations: found }, () => [
    `registers from ${table} ${address}: ${reading.cells.map(hex).join(" ")}`,
    "",
    ...tableLines(
      [
        { title: "ADDRESS" },
        { title: "TYPE" },
        { title: "ORDER" },
        { title: "SCALE", align: "right" },
        { title: "VALUE", align: "right" },
        { title: "SCORE", align: "right" },
      ],
      shown.map((each) => [
        `${table} ${address}`,
        each.type,
        each.order,
        String(each.scale),
        valueText(each.value),
        each.score.toFixed(2),
      ]),
    ),
  ]);
}

function hex(register: number): string {
  return register.toString(16).padStart(4, "0");
}
