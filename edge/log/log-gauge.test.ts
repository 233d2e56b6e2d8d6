import { join } from "node:path";
import { expect, test } from "vitest";
import { filledLog, fillRounds } from "../../test/support/filled-log.ts";
import { ManualClock } from "../../test/support/manual-clock.ts";
import { tempFolder } from "../../test/support/temp-folder.ts";
import { LogGauge } from "./log-gauge.ts";

// Three machines, 20 readings each, once a second.
test("what waits and how much room there is, looked at anew after two seconds at the earliest", async () => {
  const { log, clock } = await filledLog(join(tempFolder(), "log.db"), { rounds: 60, signals: 20, sealEvery: 60 });
  const time = new ManualClock();
  const gauge = new LogGauge(log, { quotaBytes: 100 * 2 ** 20, forwardedBy: "uplink" }, time);
  expect(gauge.look().waiting.readings).toBe(60 * 60);
  log.saveCursor("uplink", log.head());
  await fillRounds(log, clock, { rounds: 5, signals: 20 });
  expect(gauge.look().waiting.readings).toBe(60 * 60);
  await time.advance(2_001);
  expect(gauge.look().waiting.readings).toBe(5 * 60);
  expect(gauge.look().forecast.forwardedBytes).toBeGreaterThan(0);
  expect(gauge.roomMs()).toBeGreaterThan(3_600_000);
  expect(new LogGauge(log, {}, time).look().waiting).toEqual({ events: 0, readings: 0 });
  log.close();
});
