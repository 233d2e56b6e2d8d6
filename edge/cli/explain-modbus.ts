import { cellCountOf } from "../drivers/modbus/decode.ts";
import { explainRegisters, type Interpretation } from "../drivers/modbus/explain.ts";
import { EdgeError } from "../kernel/errors.ts";
import type { Cli } from "./cli.ts";
import type { RegisterSpec } from "./register-spec.ts";
import { tableLines } from "./table.ts";
import { harmless, valueText } from "./text.ts";

const SHOWN_MAX = 10;
/** Registers read along on either side of a single value: one before, and the rest of the widest type after it. */
const BEFORE = 1;
const AFTER = 4;
/** Registers of a value: numbers of 16, 32 and 64 bits, and text. */
const WIDTHS = [1, 2, 4, 8, 16];
/** What is asked for comes before its neighbours, all else equal. */
const OFF_BY_ONE = 0.95;

type Span = Pick<RegisterSpec, "table" | "address" | "count">;
type Read = (span: Span) => Promise<readonly number[]>;

/** @throws EdgeError USAGE */
export function checkExpectable(specs: readonly RegisterSpec[]): void {
  if (specs.length === 1 && specs.every(({ table }) => table === "holding" || table === "input")) return;
  throw new EdgeError("USAGE", "--expect looks into one run of registers", {
    hint: "Name it with its length, such as holding:100x4 or input:0x8.",
  });
}

/**
 * Reads the registers and ranks every way to read them by how well it gives what the machine's own display shows (P20).
 * A run (100x4) is searched from each of its addresses; a single value also one address off on either side.
 */
export async function explainModbus(cli: Cli, spec: RegisterSpec, shown: string, read: Read): Promise<void> {
  const expected = shown === "true" || shown === "false" ? shown === "true" : shown;
  const isRun = spec.value === null && spec.count > 1;
  const span = isRun ? spec : around(spec);
  const { span: got, cells } = await readEither(read, span, spec);
  const asked = isRun
    ? cells.map((_, index) => got.address + index)
    : [spec.address, spec.address - 1, spec.address + 1];
  const found = best(
    asked.flatMap((address, index) => interpretations(cells, got.address, address, expected, isRun || index === 0)),
  );
  const matching = found.filter(({ matches }) => matches);
  if (matching.length === 0) cli.problemFound();
  const listed = (matching.length > 0 ? matching : found).slice(0, SHOWN_MAX);
  const { table } = spec;
  await cli.output.result(
    { expected: shown, table, address: got.address, registers: cells, interpretations: listed },
    () => [
      `${table} ${got.address} to ${got.address + cells.length - 1}: ${cells.map(hex).join(" ")}`,
      "",
      matching.length > 0
        ? `These give ${harmless(shown)}, the likeliest first:`
        : `Nothing gives ${harmless(shown)}; the nearest, should it have moved meanwhile:`,
      "",
      ...tableLines(
        [{ title: "VALUE", align: "right" }, { title: "SCORE", align: "right" }, { title: "FOR TAILSTOCK.YAML" }],
        listed.map((each) => [valueText(each.value), each.score.toFixed(2), yamlOf(table, each)]),
      ),
      ...(matching.length > 1 ? ["", "To tell them apart, look again when the value has changed."] : []),
    ],
  );
}

/** Each width of value from one address, so that a word order turns the registers of the value and no others. */
function interpretations(
  cells: readonly number[],
  startAddress: number,
  address: number,
  expected: string | boolean,
  isAsked: boolean,
): Interpretation[] {
  const from = address - startAddress;
  if (from < 0) return [];
  return WIDTHS.flatMap((width) => {
    const words = cells.slice(from, from + width);
    return words.length < width
      ? []
      : explainRegisters(words, expected, { startAddress: address })
          .filter((each) => each.address === address && registersOf(each) === width)
          .map((each) => (isAsked ? each : { ...each, score: each.score * OFF_BY_ONE }));
  });
}

function registersOf({ type, lengthBytes }: Interpretation): number {
  return cellCountOf({ table: "holding", type, lengthBytes });
}

function around({ table, address, count }: RegisterSpec): Span {
  const start = Math.max(0, address - BEFORE);
  const end = Math.min(0x1_0000, address + Math.max(count, AFTER) + 1);
  return { table, address: start, count: end - start };
}

/** Neighbours may not exist on the device: then what was asked for has to do. */
async function readEither(read: Read, wide: Span, narrow: Span): Promise<{ span: Span; cells: readonly number[] }> {
  try {
    return { span: wide, cells: await read(wide) };
  } catch (error) {
    if (!(error instanceof EdgeError && error.code === "DRIVER_REFUSED") || wide.count === narrow.count) throw error;
    return { span: narrow, cells: await read(narrow) };
  }
}

/** Each interpretation once, best first: runs that overlap find the same ones. */
function best(found: readonly Interpretation[]): Interpretation[] {
  const byPlace = new Map<string, Interpretation>();
  for (const each of found) {
    const place = [each.address, each.type, each.bit, each.lengthBytes, each.order, each.scale].join();
    if (each.score > (byPlace.get(place)?.score ?? -1)) byPlace.set(place, each);
  }
  return [...byPlace.values()].sort((a, b) => b.score - a.score);
}

/** The signal as it would stand in the configuration. */
function yamlOf(table: string, { address, type, bit, lengthBytes, order, byteOrder, scale }: Interpretation): string {
  const parts = [`${table}: ${address}`, `type: ${type}`];
  if (bit !== null) parts.push(`bit: ${bit}`);
  if (lengthBytes !== null) parts.push(`lengthBytes: ${lengthBytes}`);
  if (order.length === 4 && order !== "ABCD") parts.push(`order: ${order}`);
  else if (order.length === 2 && byteOrder === "little") parts.push("byteOrder: little");
  if (scale !== 1) parts.push(`scale: ${scale}`);
  return `{ ${parts.join(", ")} }`;
}

function hex(register: number): string {
  return register.toString(16).padStart(4, "0");
}
