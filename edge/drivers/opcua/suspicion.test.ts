import { expect, test } from "vitest";
import { isProven, type Suspicion, suspect } from "./suspicion.ts";

const GRACE_MS = 2_400;

function after(readings: readonly [value: number, sourceMs: number | null][]): boolean {
  let suspicion: Suspicion | null = null;
  let nowMs = 0;
  for (const [value, sourceMs] of readings) {
    nowMs += 1_250;
    suspicion = suspect(suspicion, { value, sourceMs }, nowMs);
  }
  return suspicion !== null && isProven(suspicion, nowMs, GRACE_MS);
}

test("P13 a change that has lasted by its source time proves that the item is dead", () => {
  expect(
    after([
      [5, 100],
      [5, 100],
    ]),
  ).toBe(false);
  expect(
    after([
      [5, 100],
      [5, 100],
      [5, 100],
    ]),
  ).toBe(true);
});

test("P13 a signal that flickers between two samplings proves nothing", () => {
  expect(
    after([
      [0.01, 100],
      [0.02, 1_350],
    ]),
  ).toBe(false);
  expect(
    after([
      [0.01, 100],
      [0.02, 1_350],
      [0.01, 2_600],
      [0.01, 3_900],
    ]),
  ).toBe(false);
});

test("P13 value upon value that was never told proves that the item is dead", () => {
  expect(
    after([
      [1, 100],
      [2, 1_350],
      [3, 2_600],
      [4, 3_900],
    ]),
  ).toBe(true);
  expect(
    after([
      [1, null],
      [1, null],
      [1, null],
      [1, null],
      [1, null],
    ]),
  ).toBe(false);
  expect(
    after([
      [1, null],
      [1, null],
      [1, null],
      [1, null],
      [1, null],
      [1, null],
    ]),
  ).toBe(true);
});
