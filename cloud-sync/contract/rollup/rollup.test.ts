import fc from "fast-check";
import { expect, test } from "vitest";
import { MINUTE_MS } from "./minute.ts";
import { readRollup } from "./rollup.ts";
import { RollupBuilder } from "./rollup-builder.ts";

// Goal: the aggregates that come back are those of the readings, counted and compared the simple way.
test("lowest, highest, count and mean of each minute are those of its readings", () => {
  const anyNumber = fc.oneof(
    fc.double(),
    fc.integer({ min: -99_999, max: 99_999 }).map((n) => n / 100),
    fc.integer({ min: -999, max: 999 }).map((n) => Math.fround(n / 10)),
    fc.constantFrom(Number.NaN, -0, 1.7e308, -1.7e308, Number.POSITIVE_INFINITY),
  );
  const anyReading = fc.record({
    signal: fc.integer({ min: 0, max: 5 }),
    // Mostly forwards, sometimes a clock that was set back.
    stepMs: fc.oneof(
      { weight: 9, arbitrary: fc.integer({ min: 0, max: 20_000 }) },
      fc.integer({ min: -200_000, max: 0 }),
    ),
    value: anyNumber,
    status: fc.constantFrom(0, 0, 0, 0x40000000, 0x80000000),
  });
  fc.assert(
    fc.property(fc.array(anyReading, { maxLength: 120 }), (readings) => {
      const builder = new RollupBuilder();
      const expected = new Map<string, number[]>();
      let timeMs = 1_790_000_000_000;
      for (const { signal, stepMs, value, status } of readings) {
        timeMs += stepMs;
        builder.add(signal, timeMs, value, status);
        if (status >= 0x80000000 || !Number.isFinite(value)) continue;
        const key = `${signal} ${Math.floor(timeMs / MINUTE_MS)}`;
        expected.set(key, [...(expected.get(key) ?? []), value]);
      }
      const bytes = builder.finish();
      const found = new Map<string, { count: number; min: number; max: number }>();
      for (const [signal, minutes] of bytes ? readRollup(bytes) : []) {
        for (const { minute, count, min, max, mean } of minutes) {
          expect(mean).toBeGreaterThanOrEqual(min);
          expect(mean).toBeLessThanOrEqual(max);
          // A minute may come in several cells when the clock went back into it.
          const known = found.get(`${signal} ${minute}`);
          found.set(`${signal} ${minute}`, {
            count: count + (known?.count ?? 0),
            min: Math.min(min, known?.min ?? min),
            max: Math.max(max, known?.max ?? max),
          });
        }
      }
      expect([...found.keys()].sort()).toEqual([...expected.keys()].sort());
      for (const [key, values] of expected) {
        const { count, min, max } = found.get(key) as { count: number; min: number; max: number };
        expect(count).toBe(values.length);
        expect(min === Math.min(...values) && max === Math.max(...values)).toBe(true);
      }
    }),
  );
});

test("the mean lies within a 65,535th of the range, and one signal is read alone", () => {
  const builder = new RollupBuilder();
  for (let i = 0; i < 60; i++) {
    builder.add(0, i * 1_000, i * i, 0);
    builder.add(1, i * 1_000, 7.5, 0);
  }
  const bytes = builder.finish() as Buffer;
  const [squares] = readRollup(bytes, 0).get(0) ?? [];
  expect(squares?.mean).toBeCloseTo(1_170.17, 0);
  expect(readRollup(bytes, 1)).toEqual(new Map([[1, [{ minute: 0, count: 60, min: 7.5, max: 7.5, mean: 7.5 }]]]));
});
