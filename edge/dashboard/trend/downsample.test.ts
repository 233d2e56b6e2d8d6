import fc from "fast-check";
import { expect, test } from "vitest";
import { Downsampler } from "./downsample.ts";

// Goal: whatever arrives, the line is bounded and ascending, keeps its extremes, and breaks where something was missing.
test("extremes survive, bounds hold, breaks are kept", () => {
  const anyPoint = fc.tuple(
    fc.integer({ min: 0, max: 10_000 }),
    fc.option(fc.integer({ min: -1_000, max: 1_000 }), { freq: 8 }),
  );
  fc.assert(
    fc.property(fc.array(anyPoint, { maxLength: 400 }), fc.integer({ min: 3, max: 300 }), (points, pointsMax) => {
      points.sort((a, b) => a[0] - b[0]);
      const sampler = new Downsampler(0, 10_001, pointsMax);
      for (const [timeMs, value] of points) sampler.add(timeMs, value);
      const { timesMs, values } = sampler.finish();
      expect(timesMs.length).toBe(values.length);
      expect(timesMs.length).toBeLessThanOrEqual(pointsMax);
      for (let i = 1; i < timesMs.length; i++) expect(timesMs[i]).toBeGreaterThanOrEqual(timesMs[i - 1] as number);
      const numbers = points.flatMap(([, value]) => value ?? []);
      const kept = values.flatMap((value) => value ?? []);
      expect(kept.length === 0).toBe(numbers.length === 0);
      if (numbers.length > 0) {
        expect(Math.max(...kept)).toBe(Math.max(...numbers));
        expect(Math.min(...kept)).toBe(Math.min(...numbers));
      }
      const firstValue = points.findIndex(([, value]) => value !== null);
      const brokenAfter = firstValue >= 0 && points.slice(firstValue).some(([, value]) => value === null);
      if (brokenAfter) expect(values).toContain(null);
    }),
  );
});

test("as few points as there are buckets come out exactly as they went in", () => {
  const sampler = new Downsampler(0, 300_000, 1_200);
  for (let second = 0; second < 300; second++) sampler.add(second * 1_000, second * 1.5);
  const { timesMs, values } = sampler.finish();
  expect(timesMs).toEqual(Array.from({ length: 300 }, (_, second) => second * 1_000));
  expect(values[299]).toBe(448.5);
});
