import { join } from "node:path";
import { expect, test } from "vitest";
import { filledLog } from "../../../test/support/filled-log.ts";
import { tempFolder } from "../../../test/support/temp-folder.ts";
import { cheapestOf, classNeeds, loadOf, loadOfMeasured, loadOfSingles, MESSAGE_OVERHEAD_BYTES } from "./bill.ts";
import { measureLiveSize, measureLongestSize } from "./live-size.ts";

const stream = { readingsPerSecond: 10_000, bytesPerReading: 0.5, latencyMs: 5_000, priorityMessagesPerDay: 0 };
const needs = (units: number, smallUnits = units * 8) =>
  Object.fromEntries(classNeeds({ units, smallUnits }).map((each) => [each.name, each]));

test("P25 one message per reading of 10,000 signals at 1 Hz: 864 million messages a day, 2,160 S1 units", () => {
  const singles = loadOfSingles(10_000 * 86_400);
  expect(singles).toMatchObject({ messages: 864_000_000, units: 864_000_000 });
  const { S1, S2, S3, B1 } = needs(singles.units, singles.smallUnits);
  expect(S1).toMatchObject({ unitsNeeded: 2_160, fits: false });
  expect(S2).toMatchObject({ unitsNeeded: 144, fits: true, usdPerMonth: 36_000 });
  expect(S3).toMatchObject({ unitsNeeded: 3, fits: true, usdPerMonth: 7_500 });
  expect(B1?.hasCommands).toBe(false);
  expect(cheapestOf(Object.values(needs(singles.units)))?.name).toBe("S3");
});

test("P25 packed, each window is one message, metered by 4 KB with what belongs to a message besides its body", () => {
  // 25,000 bytes and the overhead are seven units.
  expect(loadOf(stream)).toEqual({
    readings: 864_000_000,
    messages: 17_280,
    bytes: 17_280 * (25_000 + MESSAGE_OVERHEAD_BYTES),
    units: 17_280 * 7,
    smallUnits: 17_280 * Math.ceil((25_000 + MESSAGE_OVERHEAD_BYTES) / 512),
  });
  // A hair below and above what fits into one unit.
  const bytes = (body: number) => loadOf({ ...stream, readingsPerSecond: 1, bytesPerReading: body / 5 }).units;
  expect(bytes(4_096 - MESSAGE_OVERHEAD_BYTES)).toBe(17_280);
  expect(bytes(4_097 - MESSAGE_OVERHEAD_BYTES)).toBe(2 * 17_280);
  // More than a message may hold is parted.
  expect(loadOf({ ...stream, bytesPerReading: 10 }).messages).toBe(2 * 17_280);
  expect(loadOf({ ...stream, priorityMessagesPerDay: 100 })).toMatchObject({
    messages: 17_380,
    units: 17_280 * 7 + 100,
  });
  expect(loadOf({ ...stream, readingsPerSecond: 0 })).toMatchObject({ messages: 0, units: 0 });
});

test("units of each class at its edges, and the cheapest that lets the cloud give commands", () => {
  expect(needs(400_000).S1?.unitsNeeded).toBe(1);
  expect(needs(400_001).S1?.unitsNeeded).toBe(2);
  expect(needs(400_001).S2?.unitsNeeded).toBe(1);
  expect(needs(1_000, 8_000).F1).toMatchObject({ unitsNeeded: 1, fits: true, usdPerMonth: 0 });
  expect(needs(1_000, 8_001).F1?.fits).toBe(false);
  expect(cheapestOf(classNeeds({ units: 500, smallUnits: 4_000 }))?.name).toBe("F1");
  expect(cheapestOf(classNeeds({ units: 4_000_000, smallUnits: 4e7 }))).toMatchObject({ name: "S1", unitsNeeded: 10 });
  expect(cheapestOf(classNeeds({ units: 5_000_000, smallUnits: 4e7 }))).toMatchObject({ name: "S2", unitsNeeded: 1 });
  expect(cheapestOf(classNeeds({ units: 4e9, smallUnits: 4e10 }))).toBeUndefined();
});

test("what was measured over an hour, for a day", () => {
  const load = loadOfMeasured({ messages: 720, units: 800, bytes: 2_000_000, samples: 36_000, spanMs: 3_600_000 });
  expect(load).toMatchObject({ readings: 864_000, messages: 17_280, units: 19_200, bytes: 48_000_000 });
});

test("the newest readings of a log are packed as the uplink packs them, without the windows that are cut off", async () => {
  // Three machines, 20 readings each, once a second.
  const { log } = await filledLog(join(tempFolder(), "log.db"), { rounds: 100, signals: 20, sealEvery: 60 });
  const short = measureLiveSize(log, 5_000);
  const long = measureLiveSize(log, 30_000);
  expect(short?.readingsPerSecond).toBeCloseTo(60, 6);
  expect(short?.windows).toBe(12);
  expect(short?.bytesPerReading).toBeGreaterThan(0.2);
  expect(long?.readingsPerSecond).toBeCloseTo(60, 6);
  // Longer gathering packs better.
  expect(long?.bytesPerReading).toBeLessThan(short?.bytesPerReading ?? 0);
  expect(measureLiveSize(log, 3_600_000)).toBeUndefined();
  // Too short for an hour: by the longest that can be measured, which is no less.
  const longest = measureLongestSize(log, 3_600_000);
  expect(longest?.latencyMs).toBeGreaterThan(30_000);
  expect(longest?.latencyMs).toBeLessThan(100_000);
  expect(longest?.readingsPerSecond).toBeCloseTo(60, 0);
  expect(measureLongestSize(log, 5_000)).toEqual(short);
  log.close();
});
