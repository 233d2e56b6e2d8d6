import { expect, test } from "vitest";
import { Digits } from "./digits.ts";
import { formatAge, formatAlike, formatNumber, formatValue } from "./format.ts";

test("numbers are written with the digits that matter", () => {
  const written = [
    [0, "0"],
    [-0, "0"],
    [7, "7"],
    [-1_234, "−1234"],
    [12_345, "12\u202f345"],
    [1_234.56, "1235"],
    [432.19, "432.2"],
    [432.01, "432"],
    [41.256, "41.26"],
    [20.8, "20.8"],
    [0.1, "0.1"],
    [-0.12345, "−0.123"],
    [-0.001, "−0.001"],
    [0.00012345, "0.000123"],
    [0.00001234, "1.234e−5"],
    [1e12, "1e+12"],
    [-1e-300, "−1e−300"],
  ] as const;
  expect(written.map(([value]) => [value, formatValue(value)])).toEqual(written);
});

test("what is not a number has its own word", () => {
  const values = [null, true, false, "O4711", "NaN", "", [1.5, null]];
  expect(values.map((value) => formatValue(value))).toEqual(["–", "On", "Off", "O4711", "NaN", "(empty)", "[1.5, –]"]);
});

test("ages and the numbers of an axis", () => {
  expect([900, 14_000, 180_000, 7_200_000, 200_000_000].map(formatAge)).toEqual(["now", "14 s", "3 min", "2 h", "2 d"]);
  expect(formatAlike([52.85, 52.9, 52.95, 53])).toEqual(["52.85", "52.90", "52.95", "53.00"]);
  expect(formatAlike([-0.5, 0, 0.5])).toEqual(["−0.5", "0.0", "0.5"]);
  expect(formatAlike([0, 1_000])).toEqual(["0", "1000"]);
});

function shown(digits: Digits, values: readonly number[], signal = "load", machineId = "redmond/mill-07"): string[] {
  return values.map((value) => formatNumber(value, digits.of(machineId, signal, value)));
}

test("a signal keeps its decimals from one value to the next", () => {
  const digits = new Digits();
  expect(shown(digits, [20.8, 0, 0.1, 22, 19.4])).toEqual(["20.8", "0.0", "0.1", "22.0", "19.4"]);
  // Others are not touched by it, neither of this machine nor of another.
  expect(shown(digits, [22, 35], "parts")).toEqual(["22", "35"]);
  expect(shown(digits, [22, 35], "load", "redmond/mill-08")).toEqual(["22", "35"]);
});

test("decimals that make no sense beside a signal's larger values are left out, but a number never becomes zero", () => {
  const digits = new Digits();
  expect(shown(digits, [0.7443, 0.061, 12.5, 0.061])).toEqual(["0.744", "0.061", "12.50", "0.06"]);
  expect(shown(digits, [4_999.7, 120.25, 0.25, 0], "speed")).toEqual(["5000", "120", "0.25", "0"]);
});

test("text and what is missing leave a signal's decimals alone", () => {
  const digits = new Digits();
  expect([null, "NaN", true, Number.NaN].map((value) => digits.of("m", "s", value))).toEqual(Array(4).fill(undefined));
  expect(digits.of("m", "s", 3.5)).toBe(1);
});
