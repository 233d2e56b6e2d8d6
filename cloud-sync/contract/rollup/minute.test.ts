import fc from "fast-check";
import { expect, test } from "vitest";
import { joinMinutes } from "./minute.ts";
import { readRollup } from "./rollup.ts";
import { RollupBuilder } from "./rollup-builder.ts";

// Goal: however readings are cut into roll-ups, joined they say of each minute what one roll-up of all of them says.
test("minutes of several roll-ups, joined, are those of their readings", () => {
  const anyReading = fc.tuple(fc.integer({ min: 0, max: 9 }), fc.integer({ min: -500, max: 500 }));
  fc.assert(
    fc.property(fc.array(fc.array(anyReading, { minLength: 1, maxLength: 20 }), { maxLength: 6 }), (parts) => {
      const cells = parts.flatMap((readings) => {
        const builder = new RollupBuilder();
        for (const [minute, value] of readings) builder.add(0, minute * 60_000 + 7, value, 0);
        return readRollup(builder.finish() as Buffer).get(0) ?? [];
      });
      const joined = joinMinutes(cells);
      const byMinute = Map.groupBy(parts.flat(), ([minute]) => minute);
      expect(joined.map(({ minute }) => minute)).toEqual([...byMinute.keys()].sort((a, b) => a - b));
      for (const { minute, count, min, max, mean } of joined) {
        const values = (byMinute.get(minute) ?? []).map(([, value]) => value);
        expect({ count, min, max }).toEqual({
          count: values.length,
          min: Math.min(...values),
          max: Math.max(...values),
        });
        expect(mean).toBeGreaterThanOrEqual(min);
        expect(mean).toBeLessThanOrEqual(max);
        const wanted = values.reduce((sum, value) => sum + value, 0) / values.length;
        expect(Math.abs(mean - wanted)).toBeLessThanOrEqual((max - min) / 65_535);
      }
    }),
  );
});
