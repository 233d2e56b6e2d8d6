import type { ScalarValue } from "../../../cloud-sync/contract/sample.ts";
import type { ByteOrder } from "../../kernel/config/model.ts";
import { cellCountOf, decodeCells, type Layout, type ModbusType } from "./decode.ts";

/** One way to read the registers, in the words of tailstock.yaml. */
export interface Interpretation {
  readonly address: number;
  readonly type: ModbusType;
  readonly bit: number | null;
  readonly lengthBytes: number | null;
  /** "AB", "BA", "ABCD", "CDAB", "BADC", "DCBA"; of 64 bits as of 32. "" where there is nothing to order. */
  readonly order: string;
  readonly byteOrder: ByteOrder;
  readonly wordOrder: ByteOrder;
  readonly scale: number;
  readonly value: ScalarValue;
  /** 0..1: how well it agrees with what the technician reads, or how likely it is when nothing was given. */
  readonly score: number;
  /** True when the value is what the technician reads, to the digits given. */
  readonly matches: boolean;
}

export interface ExplainOptions {
  /** Zero-based address of the first register given; 0 when left out. */
  readonly startAddress?: number;
  /** The address in question; its neighbours one off are tried too if they were read. The first one when left out. */
  readonly address?: number;
}

const NUMBERS: readonly ModbusType[] = [
  "uint16",
  "int16",
  "uint32",
  "int32",
  "float32",
  "uint64",
  "int64",
  "float64",
  "uint8",
  "int8",
];
const ORDERS: readonly { name: string; byteOrder: ByteOrder; wordOrder: ByteOrder; penalty: number }[] = [
  { name: "ABCD", byteOrder: "big", wordOrder: "big", penalty: 0 },
  { name: "CDAB", byteOrder: "big", wordOrder: "little", penalty: 0.01 },
  { name: "BADC", byteOrder: "little", wordOrder: "big", penalty: 0.04 },
  { name: "DCBA", byteOrder: "little", wordOrder: "little", penalty: 0.04 },
];
/** Common scales of devices, likeliest first. */
const SCALES: readonly { scale: number; penalty: number }[] = [
  { scale: 1, penalty: 0 },
  { scale: 0.1, penalty: 0.02 },
  { scale: 0.01, penalty: 0.03 },
  { scale: 0.001, penalty: 0.04 },
  { scale: 10, penalty: 0.06 },
  { scale: 0.5, penalty: 0.08 },
  { scale: 100, penalty: 0.08 },
  { scale: 1000, penalty: 0.08 },
];
const OFF_BY_ONE_PENALTY = 0.05;
const EIGHT_BIT_PENALTY = 0.06;
/** A value that is nearly the one on the display: it may have moved between the two looks. */
const NEAR_RELATIVE = 0.02;

/**
 * Every interpretation of registers (types × orders × common scales), best first. `expected` is what the machine's display
 * shows: a number (also as text, "21.50": then its digits say how exactly it is known), a boolean (lists bits), or text.
 * Addresses one off on either side are tried when `registers` hold them.
 */
export function explainRegisters(
  registers: readonly number[],
  expected?: number | string | boolean,
  options: ExplainOptions = {},
): Interpretation[] {
  const startAddress = options.startAddress ?? 0;
  const wanted = options.address ?? startAddress;
  const goal = goalOf(expected);
  const found: Interpretation[] = [];
  for (const address of [wanted, wanted - 1, wanted + 1]) {
    const cells = registers.slice(Math.max(0, address - startAddress));
    if (address < startAddress || cells.length === 0) continue;
    const place = address === wanted ? 0 : OFF_BY_ONE_PENALTY;
    const candidates = [...numbers(cells), ...texts(cells), ...(typeof goal === "boolean" ? bits(cells) : [])];
    for (const { layout, order, penalty } of candidates) {
      const { value, statusCode } = decodeCells(cells, layout);
      if (statusCode !== 0) continue;
      const { likelihood, matches } =
        goal === undefined ? { likelihood: plausibility(value, layout), matches: false } : agreement(value, goal);
      const { type, bit, lengthBytes, byteOrder, wordOrder, scale } = layout;
      const score = Math.max(0, likelihood * (1 - penalty - place));
      found.push({ address, type, bit, lengthBytes, order, byteOrder, wordOrder, scale, value, score, matches });
    }
  }
  // Sorting is stable: of equals, the simpler one stands first, as it was tried first.
  return found.sort((a, b) => b.score - a.score);
}

interface Candidate {
  readonly layout: Layout;
  readonly order: string;
  readonly penalty: number;
}

const PLAIN: Layout = {
  table: "holding",
  type: "uint16",
  bit: null,
  lengthBytes: null,
  byteOrder: "big",
  wordOrder: "big",
  scale: 1,
  offset: 0,
};

function* numbers(cells: readonly number[]): Generator<Candidate> {
  for (const type of NUMBERS) {
    const count = cellCountOf({ ...PLAIN, type });
    if (count > cells.length) continue;
    // One register has no word order.
    const orders = count === 1 ? ORDERS.filter(({ wordOrder }) => wordOrder === "big") : ORDERS;
    const isFloat = type === "float32" || type === "float64";
    const isByte = type === "uint8" || type === "int8";
    for (const { name, byteOrder, wordOrder, penalty } of orders) {
      for (const { scale, penalty: scalePenalty } of SCALES) {
        // A device that sends floats has no need to scale them.
        const rarity = isFloat ? scalePenalty * 3 : scalePenalty + (isByte ? EIGHT_BIT_PENALTY : 0);
        const order = count === 1 ? (byteOrder === "big" ? "AB" : "BA") : name;
        yield { layout: { ...PLAIN, type, byteOrder, wordOrder, scale }, order, penalty: penalty + rarity };
      }
    }
  }
}

function* texts(cells: readonly number[]): Generator<Candidate> {
  for (const byteOrder of ["big", "little"] as const) {
    const layout: Layout = { ...PLAIN, type: "string", byteOrder, lengthBytes: cells.length * 2 };
    const text = String(decodeCells(cells, layout).value);
    // Two printable characters are any number; only longer runs are worth a look.
    const isText = text.length >= 3 && /^[\p{L}\p{N}\p{P}\p{S}\p{Zs}]+$/u.test(text) && !text.includes("\ufffd");
    if (isText) yield { layout, order: byteOrder === "big" ? "AB" : "BA", penalty: byteOrder === "big" ? 0 : 0.02 };
  }
}

function* bits(cells: readonly number[]): Generator<Candidate> {
  if (cells.length === 0) return;
  for (let bit = 0; bit < 16; bit += 1) {
    yield { layout: { ...PLAIN, type: "boolean", bit }, order: "", penalty: bit * 0.002 };
  }
}

type Goal = boolean | { readonly text: string } | { readonly value: number; readonly half: number };

/** A display rounds: half of its last digit either way is the same reading. */
function goalOf(expected: number | string | boolean | undefined): Goal | undefined {
  if (expected === undefined || typeof expected === "boolean") return expected;
  const text = String(expected).trim().replace(",", ".");
  const value = Number(text);
  if (text === "" || !Number.isFinite(value)) return { text: String(expected) };
  const [mantissa = "", exponent = "0"] = text.toLowerCase().split("e");
  const decimals = (mantissa.split(".")[1]?.length ?? 0) - Number(exponent);
  return { value, half: Math.max(Number.MIN_VALUE, 0.5 * 10 ** -decimals) };
}

function agreement(value: ScalarValue, goal: Goal): { likelihood: number; matches: boolean } {
  if (typeof goal === "boolean" || typeof value === "boolean") return same(value === goal);
  if ("text" in goal) return same(typeof value === "string" && value.includes(goal.text));
  if (value === null || typeof value === "string") return same(false);
  const difference = Math.abs(Number(value) - goal.value);
  // The slack is for binary fractions at the very edge of the half digit.
  if (difference <= goal.half * (1 + 1e-6)) {
    // The nearer to the display the better, a little: 21.5 before 21.46.
    return { likelihood: 1 - 0.01 * (difference / goal.half), matches: true };
  }
  const relative = difference / Math.max(Math.abs(goal.value), goal.half);
  return { likelihood: relative <= NEAR_RELATIVE ? 0.7 - 10 * relative : 0.4 / (1 + relative * 10), matches: false };
}

function same(matches: boolean) {
  return { likelihood: matches ? 1 : 0, matches };
}

/** Without a hint from the display: everyday magnitudes and plain types first. */
function plausibility(value: ScalarValue, { type }: Layout): number {
  if (typeof value === "string") return 0.9;
  const magnitude = Math.abs(Number(value));
  const isFloat = type === "float32" || type === "float64";
  if (isFloat && magnitude !== 0 && (magnitude < 1e-4 || magnitude > 1e7)) return 0.05;
  if (isFloat) return magnitude === 0 ? 0.3 : 0.8;
  return magnitude < 1e5 ? 0.6 : magnitude < 1e9 ? 0.3 : 0.1;
}
