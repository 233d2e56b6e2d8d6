import { copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { filledLog, fillRounds, MACHINES } from "../../test/support/filled-log.ts";
import { ManualClock } from "../../test/support/manual-clock.ts";
import { tempFolder } from "../../test/support/temp-folder.ts";
import { forecast, simulateOutage } from "./forecast.ts";
import { openLog } from "./log.ts";
import { surveyLog } from "./survey.ts";

const HOUR_MS = 3_600_000;
const MIB = 2 ** 20;
// Three machines, 20 readings each, once a second.
const RATE = 60;

let filled: string;
let filledMs: number;
beforeAll(async () => {
  filled = join(mkdtempSync(join(tmpdir(), "tailstock-test-")), "filled.db");
  const { log, clock } = await filledLog(filled, { rounds: 600, signals: 20, sealEvery: 60 });
  log.checkpoint();
  log.close();
  filledMs = clock.nowMs();
});
afterAll(() => rmSync(dirname(filled), { recursive: true, force: true }));

/** A copy of a log that got this rate for ten minutes. */
function steadyLog() {
  const path = join(tempFolder(), "log.db");
  copyFileSync(filled, path);
  const clock = new ManualClock(filledMs);
  return { log: openLog({ path, clock }), clock };
}

describe("P07 forecast", () => {
  test("the rate of a log that gets 60 readings a second, and the size of one, from its blocks", async () => {
    const { log } = steadyLog();
    const blockBytes = log.ledger().length;
    expect(blockBytes).toBe(30);
    const now = forecast(log, { quotaBytes: 100 * MIB });
    expect(now.readingsPerS).toBeCloseTo(RATE, 6);
    expect(now.basis).toBe("blocks of the last 9 minutes of running");
    const stored = log.readBlocks(0, { limitBytes: 1e9 }).reduce((sum, { bytes }) => sum + (bytes?.length ?? 0), 0);
    expect(now.thinnedBytesPerReading).toBeCloseTo(stored / (600 * RATE), 9);
    expect(now.bytesPerReading).toBeGreaterThan(now.thinnedBytesPerReading);
    expect(now.wholeReadings).toBe(600 * RATE);
    expect(now.bytesPerS).toBeCloseTo(RATE * now.bytesPerReading, 9);
    // A twentieth of the quota is kept for what is not telemetry.
    expect(now.highBytes).toBeCloseTo(95 * MIB, 0);
    expect(now.roomBytes).toBeCloseTo(95 * MIB - log.usage().usedBytes, 0);
    expect(now.timeToFullMs).toBeCloseTo((now.roomBytes / now.bytesPerS) * 1_000, 3);
    log.close();
  });

  test("before the first block the tail tells the rate, and an empty log tells nothing", async () => {
    const { log, clock } = await filledLog(join(tempFolder(), "log.db"), { rounds: 0 });
    expect(forecast(log, {})).toMatchObject({ readingsPerS: 0, timeToFullMs: null });
    await fillRounds(log, clock, { rounds: 30, signals: 20 });
    const now = forecast(log, {});
    expect(now.readingsPerS).toBeCloseTo(RATE, 6);
    expect(now.basis).toBe("the newest readings, not sealed yet");
    log.close();
  });

  test("what the cloud has counts as room, and the tail of a log that only just began to be forwarded does not", async () => {
    const { log } = steadyLog();
    const bounds = { quotaBytes: 100 * MIB, forwardedBy: "uplink" };
    const before = forecast(log, bounds);
    expect(before.forwardedBytes).toBe(0);
    log.saveCursor("uplink", log.head());
    const after = forecast(log, bounds);
    expect(after.forwardedBytes).toBeCloseTo(after.thinnedBytesPerReading * 600 * RATE, 0);
    expect(after.roomBytes).toBeGreaterThan(before.roomBytes);
    log.close();
  });
});

describe("P07 simulateOutage", () => {
  test("72 h that fit, and how much they need", async () => {
    const { log } = steadyLog();
    const now = forecast(log, { quotaBytes: 1_000 * MIB });
    const outage = simulateOutage(now, 72 * HOUR_MS);
    expect(outage.readings).toBe(72 * 3_600 * RATE);
    expect(outage.neededBytes).toBeCloseTo(72 * 3_600 * RATE * now.bytesPerReading, 0);
    expect(outage).toMatchObject({ fits: true, fullAfterMs: null, thinnedReadings: 0, expiredReadings: 0 });
    log.close();
  });

  test("an outage that does not fit: when it is full, how many are thinned, and a quota that keeps all, exactly", async () => {
    const { log } = steadyLog();
    const quotaBytes = 5 * MIB;
    const now = forecast(log, { quotaBytes });
    const outage = simulateOutage(now, 72 * HOUR_MS);
    expect(outage.fits).toBe(false);
    expect(outage.fullAfterMs).toBeCloseTo((now.roomBytes / now.bytesPerS) * 1_000, 3);
    expect(outage.thinnedReadings).toBeGreaterThan((outage.neededBytes - now.roomBytes) / now.bytesPerReading);
    expect(outage.thinnedReadings).toBeLessThanOrEqual(outage.readings + now.wholeReadings);
    const enough = forecast(log, { quotaBytes: outage.quotaNeededBytes });
    expect(simulateOutage(enough, 72 * HOUR_MS).fits).toBe(true);
    const short = forecast(log, { quotaBytes: outage.quotaNeededBytes - 100 });
    expect(simulateOutage(short, 72 * HOUR_MS).fits).toBe(false);
    log.close();
  });

  test("a log that is over its mark already: the quota that is named is enough all the same", async () => {
    const { log } = steadyLog();
    const now = forecast(log, { quotaBytes: log.usage().usedBytes / 2 });
    expect(now.roomBytes).toBe(0);
    const outage = simulateOutage(now, HOUR_MS);
    expect(outage).toMatchObject({ fits: false, fullAfterMs: 0 });
    expect(simulateOutage(forecast(log, { quotaBytes: outage.quotaNeededBytes }), HOUR_MS).fits).toBe(true);
    log.close();
  });

  test("room alone is not enough where readings go by age before the line is back", async () => {
    const { log } = steadyLog();
    const now = forecast(log, { quotaBytes: 1_000 * MIB, maxAgeMs: 24 * HOUR_MS });
    const outage = simulateOutage(now, 72 * HOUR_MS);
    expect(outage).toMatchObject({ fits: false, fullAfterMs: null, expiredReadings: 48 * 3_600 * RATE });
    log.close();
  });
});

describe("P03 survey", () => {
  test("says what waits, what is oldest, and what became of every event", async () => {
    const { log, clock } = steadyLog();
    await fillRounds(log, clock, { rounds: 7, signals: 20 });
    const survey = surveyLog(log, {});
    expect(survey).toMatchObject({
      blocks: { whole: 30, thinned: 0, setAside: 0 },
      tail: { commits: 7, damagedCommits: 0, events: 21, readings: 7 * RATE, sinceMs: 1_700_000_601_000 },
      oldestReadingMs: 1_700_000_001_000,
      oldestAggregateMs: null,
      states: [
        { state: "fresh", events: 21, readings: 7 * RATE },
        { state: "sealed", events: 3 * 600 + 60, readings: 600 * RATE },
      ],
    });
    expect(survey.epochs.map(({ cause, firstOffset }) => [cause, firstOffset])).toEqual([["created", 0]]);
    log.beginEpoch("torn");
    expect(surveyLog(log, {}).epochs.map(({ cause }) => cause)).toEqual(["created", "torn"]);
    log.close();
  });

  test("counts what the quota has thinned and let go as the ledger does", async () => {
    const { log } = await filledLog(join(tempFolder(), "log.db"), {
      rounds: 300,
      noiseBytes: 4_000,
      sealEvery: 20,
      quotaBytes: 3_000_000,
    });
    while (log.maintain());
    const { states, oldestAggregateMs, oldestReadingMs } = surveyLog(log, { quotaBytes: 3_000_000 });
    const counts: Record<string, number> = {};
    for (const { state, firstSeq, lastSeq } of log.ledger())
      counts[state] = (counts[state] ?? 0) + lastSeq - firstSeq + 1;
    expect(Object.fromEntries(states.map(({ state, events }) => [state, events]))).toEqual(counts);
    expect(counts).toHaveProperty("thinned");
    expect(oldestAggregateMs).toBeLessThan(oldestReadingMs ?? 0);
    expect(MACHINES).toHaveLength(3);
    log.close();
  });
});
