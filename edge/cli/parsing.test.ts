import { describe, expect, test } from "vitest";
import { EdgeError } from "../kernel/errors.ts";
import { parseCount, parseDuration, parseSince } from "./duration.ts";
import { parseRegisterSpec } from "./register-spec.ts";
import { factLines, tableLines } from "./table.ts";
import { bytesText, durationText, harmless, valueText } from "./text.ts";

function usageOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (error instanceof EdgeError && error.code === "USAGE") return `${error.message} | ${error.hint}`;
    throw error;
  }
  return "no error";
}

test.each([
  ["500ms", 500],
  ["30s", 30_000],
  ["5m", 300_000],
  ["2min", 120_000],
  ["8h", 28_800_000],
  ["1.5h", 5_400_000],
  ["2d", 172_800_000],
])("duration %s", (text, durationMs) => expect(parseDuration(text)).toBe(durationMs));

test.each(["", "5", "5x", "-5s", "s", "1h30m", "1e3s"])("duration %j is refused", (text) =>
  expect(usageOf(() => parseDuration(text))).toContain("is not a duration"),
);

test("since takes a duration back or an instant", () => {
  expect(parseSince("90s", 1_000_000)).toBe(910_000);
  expect(parseSince("2026-03-31T14:00:00Z", 0)).toBe(Date.UTC(2026, 2, 31, 14));
  expect(usageOf(() => parseSince("yesterday", 0))).toContain("neither a duration nor a time");
  expect(usageOf(() => parseSince("2026-99-31", 0))).toContain("neither a duration nor a time");
});

test("counts keep to their bounds", () => {
  const bounds = { min: 1, max: 20, what: "a number of levels" };
  expect(parseCount("20", bounds)).toBe(20);
  for (const text of ["0", "21", "-1", "2.5", "", "x"])
    expect(usageOf(() => parseCount(text, bounds))).toContain("levels");
});

describe("registers", () => {
  test.each([
    [
      "holding:100:float32:CDAB",
      { table: "holding", address: 100, count: 2, value: { type: "float32", order: "CDAB", lengthBytes: null } },
    ],
    [
      "input:7:int16",
      { table: "input", address: 7, count: 1, value: { type: "int16", order: "ABCD", lengthBytes: null } },
    ],
    [
      "holding:8:uint64:dcba",
      { table: "holding", address: 8, count: 4, value: { type: "uint64", order: "DCBA", lengthBytes: null } },
    ],
    [
      "holding:20:string7",
      { table: "holding", address: 20, count: 4, value: { type: "string", order: "ABCD", lengthBytes: 7 } },
    ],
    ["holding:100x4", { table: "holding", address: 100, count: 4, value: null }],
    ["coil:0x8", { table: "coil", address: 0, count: 8, value: null }],
    ["discrete:65535", { table: "discrete", address: 65_535, count: 1, value: null }],
  ])("%s", (text, spec) => expect(parseRegisterSpec(text)).toEqual({ text, ...spec }));

  test.each([
    ["register:1", "is not a table"],
    ["holding:", "is not an address"],
    ["holding:65536", "is not an address"],
    ["holding:65535:float32", "past the last address"],
    ["holding:0x126", "1 to 125"],
    ["holding:0x0", "1 to 125"],
    ["coil:0x2001", "1 to 2000"],
    ["holding:1:float16", "is not a type"],
    ["holding:1:string", "length in bytes"],
    ["holding:1:datetime", "is not a type"],
    ["holding:1:float32:BACD", "is not an order"],
    ["holding:1:float32:ABCD:more", "too much"],
    ["holding:1x2:float32", "exclude each other"],
    ["coil:1:uint16", "no type but boolean"],
  ])("%s is refused", (text, why) => expect(usageOf(() => parseRegisterSpec(text))).toContain(why));
});

test("a table aligns its columns, also under colour, and does not pad the last", () => {
  const red = "\u001b[31mBad\u001b[39m";
  expect(
    tableLines(
      [{ title: "NAME" }, { title: "N", align: "right" }, { title: "STATUS" }, { title: "LAST" }],
      [
        ["a", "1", red, "x"],
        ["longer", "1234", "Good", ""],
      ],
    ),
  ).toEqual(["NAME       N  STATUS  LAST", `a          1  ${red}     x`, "longer  1234  Good"]);
  expect(
    factLines([
      ["a", "1"],
      ["bcd", "2"],
    ]),
  ).toEqual(["a    1", "bcd  2"]);
});

test("values are readable and can't command the terminal", () => {
  expect(valueText(55.20000076293945)).toBe("55.2");
  expect(valueText(18_446_744_073_709_551_615n)).toBe("18446744073709551615");
  expect(valueText(1e21)).toBe("1e+21");
  expect(valueText(Number.NaN)).toBe("NaN");
  expect(valueText(null)).toBe("–");
  expect(valueText([1, 2, 3, 4, 5, 6, 7, 8, 9])).toBe("[1, 2, 3, 4, 5, 6, 7, 8, … 9 elements]");
  expect(valueText("a\u001b[2Jb")).not.toContain("\u001b");
  expect(valueText("x".repeat(500)).length).toBeLessThan(90);
  expect(harmless("name\u202egpj\n")).toBe("name\\x202egpj\\x0a");
});

test("ages and sizes", () => {
  expect([400, 12_300, 150_000, 9_000_000, 500_000_000].map(durationText)).toEqual([
    "0.4 s",
    "12 s",
    "3 min",
    "2.5 h",
    "6 d",
  ]);
  expect([999, 65_500, 12_300_000, 4_560_000_000].map(bytesText)).toEqual(["999 B", "65.5 kB", "12.3 MB", "4.56 GB"]);
});
