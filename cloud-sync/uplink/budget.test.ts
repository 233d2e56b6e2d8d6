import fc from "fast-check";
import { expect, test } from "vitest";
import { FUZZ_SEED } from "../../test/support/any-events.ts";
import { Budget } from "./budget.ts";
import { unitsOf } from "./parcel.ts";

const DAY_MS = 86_400_000;
const parameters = { seed: FUZZ_SEED, numRuns: 60 };

interface Day {
  readonly unitsPerDayMax: number;
  /** Bytes of a frame gathered for w ms: fixed + perSecond · w, and so much noise. */
  readonly fixedBytes: number;
  readonly bytesPerSecond: number;
  readonly noise: number;
  /** Part of the day that is over when the uplink starts. */
  readonly begun: number;
  readonly backlogUnits: number;
}

const anyDay: fc.Arbitrary<Day> = fc.record({
  unitsPerDayMax: fc.integer({ min: 5_000, max: 1_000_000 }),
  fixedBytes: fc.integer({ min: 200, max: 60_000 }),
  bytesPerSecond: fc.integer({ min: 10, max: 20_000 }),
  noise: fc.double({ min: 0, max: 0.3, noNaN: true }),
  begun: fc.constantFrom(0, 0, 0.3, 0.9),
  backlogUnits: fc.constantFrom(0, 0, 10_000),
});

/** A day of windows, one after the other, as the telemetry lane would send them. */
function simulate(day: Day): { used: number; gathers: number[]; backlogSent: number; stoppedMs: number | undefined } {
  const budget = new Budget({ unitsPerDayMax: day.unitsPerDayMax, latencyMs: 5_000, latencyMsMax: 60_000 });
  let used = 0;
  let backlogSent = 0;
  let stoppedMs: number | undefined;
  const gathers: number[] = [];
  let draw = 1;
  for (let nowMs = Math.floor(day.begun * DAY_MS); nowMs < DAY_MS; ) {
    budget.plan(nowMs, used);
    const spanMs = budget.gatherMs;
    gathers.push(spanMs);
    draw = (draw * 48_271) % 2_147_483_647;
    const noise = 1 + day.noise * (draw / 2_147_483_647 - 0.5);
    const bytes = Math.ceil((day.fixedBytes + (day.bytesPerSecond * spanMs) / 1_000) * noise);
    if (budget.hasUnits(nowMs, used)) {
      used += unitsOf(bytes);
      budget.gathered(spanMs, bytes, 1);
    } else stoppedMs ??= nowMs;
    while (backlogSent < day.backlogUnits && budget.backlogWaitMs(nowMs, used, 64) <= 0) {
      used += 64;
      backlogSent += 64;
    }
    nowMs += spanMs;
  }
  return { used, gathers, backlogSent, stoppedMs };
}

/** What the day takes when every window is gathered for as long as may be. */
function least({ fixedBytes, bytesPerSecond, begun, noise }: Day): number {
  const unitsPerWindow = ((fixedBytes + bytesPerSecond * 60) * (1 + noise / 2)) / 4_096 + 1;
  return (1 - begun) * 1_440 * unitsPerWindow;
}

test("a day never takes more units than it has, whatever the machines say", () => {
  fc.assert(
    fc.property(anyDay, (day) => {
      const { used, gathers } = simulate(day);
      expect(used).toBeLessThanOrEqual(day.unitsPerDayMax);
      expect(Math.min(...gathers)).toBeGreaterThanOrEqual(5_000);
      expect(Math.max(...gathers)).toBeLessThanOrEqual(60_000);
    }),
    parameters,
  );
});

test("a day that can be paid for is sent to its end", () => {
  fc.assert(
    fc.property(anyDay, (day) => {
      fc.pre(least(day) < day.unitsPerDayMax * 0.85);
      const { stoppedMs } = simulate(day);
      expect(stoppedMs ?? DAY_MS).toBeGreaterThan(DAY_MS - 120_000);
    }),
    parameters,
  );
});

test("without a budget, or with enough of it, nothing is gathered for longer than asked for", () => {
  const free = new Budget({ unitsPerDayMax: undefined, latencyMs: 5_000, latencyMsMax: 60_000 });
  free.gathered(5_000, 200_000, 1);
  free.plan(1_000, 1e9);
  expect([free.gatherMs, free.backlogWaitMs(0, 0, 1e6), free.hasUnits(0, 1e9)]).toEqual([5_000, 0, true]);
  const rich = {
    unitsPerDayMax: 600_000,
    fixedBytes: 20_000,
    bytesPerSecond: 3_600,
    noise: 0.1,
    begun: 0,
    backlogUnits: 0,
  };
  expect(Math.max(...simulate(rich).gathers)).toBe(5_000);
});

test("a backlog takes what is left, over the rest of the day", () => {
  const day = {
    unitsPerDayMax: 300_000,
    fixedBytes: 20_000,
    bytesPerSecond: 3_600,
    noise: 0,
    begun: 0,
    backlogUnits: 20_000,
  };
  const { backlogSent, used } = simulate(day);
  expect(backlogSent).toBeGreaterThanOrEqual(20_000);
  expect(used).toBeLessThanOrEqual(300_000);
});
