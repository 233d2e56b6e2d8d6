import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { noiseOf } from "../../test/support/events.ts";
import { everyEvent, everySealedEvent, ledgerFaultsOf, lossFaultsOf } from "../../test/support/log-checks.ts";
import { tempFolder } from "../../test/support/temp-folder.ts";
import { systemClock } from "../kernel/clock.ts";
import type { LogStep } from "./event-log.ts";
import { openLog } from "./log.ts";

// Goal: there is no moment in the log's work at which kill -9 takes anything that was acknowledged, or leaves a repair to do.
// Method: the log names its steps; a process kills itself at the n-th time of each, again and again on one file.

const child = join(import.meta.dirname, "..", "..", "test", "support", "log-killed-child.ts");
const STEPS = {
  append: [1, 6],
  appending: [1, 9],
  appended: [2, 5],
  close: [1, 3],
  seal: [1, 2],
  sealing: [1, 4],
  sealed: [1, 3],
  shed: [1, 12],
  shedding: [1, 5],
  "shed-done": [1, 7],
  checkpoint: [1, 2],
  checkpointed: [1, 2],
} as const satisfies Record<LogStep, readonly number[]>;

/** What the child had acknowledged when it died. */
function runUntilKilled(path: string, step: string, count: number): { appends: number; offset: number } {
  const { stdout, stderr, signal } = spawnSync(process.execPath, [child, path, step, `${count}`], {
    encoding: "utf8",
    timeout: 40_000,
  });
  expect(`${signal} ${stderr}`).toBe("SIGKILL ");
  const [appends = 0, offset = 0] = (stdout.split("\n").at(-2) ?? "").split(" ").map(Number);
  return { appends, offset };
}

describe("L01 L02 L08 L26 P02 kill -9 within", () => {
  test.each(Object.keys(STEPS) as LogStep[])("the step %s", async (step) => {
    const path = join(tempFolder(), "log.db");
    let before = 0;
    for (const count of STEPS[step]) {
      const { appends, offset } = runUntilKilled(path, step, count);
      const log = openLog({ path, clock: systemClock, quotaBytes: 2 << 20, diskReserveBytes: 0 });
      const acknowledged = Math.max(appends, before);
      expect(log.head()).toBeGreaterThanOrEqual(offset);
      // The cursor is saved behind the append and before it is told: it may be one on, and never back.
      const cursor = log.cursor("next");
      expect(cursor).toBeGreaterThanOrEqual(appends);
      expect(cursor).toBeLessThanOrEqual(acknowledged + 1);
      const events = everyEvent(log);
      expect(events.every((event, i) => i === 0 || event.offset > (events[i - 1]?.offset ?? 0))).toBe(true);
      // No alarm and no prediction is lost or there twice: one of each with every append, the last of which may be whole or not there.
      for (const type of ["alarm", "prediction"] as const) {
        const numbers = events.flatMap((event) => (event.type === type ? [event.data.n] : []));
        const whole = Array.from({ length: numbers.length }, (_, i) => i + 1);
        expect(numbers).toEqual(whole);
        expect([acknowledged, acknowledged + 1]).toContain(numbers.length);
        before = numbers.length;
      }
      expect(lossFaultsOf(log, events)).toEqual([]);
      expect(ledgerFaultsOf(log)).toEqual([]);
      expect(events).toEqual(expect.arrayContaining(everySealedEvent(log).slice(0, 5)));
      // And on it goes.
      const head = log.head();
      expect(await log.append(noiseOf("a/4", 1, 100), "now")).toBe(head + 1);
      log.seal();
      while (log.maintain());
      expect(log.latest("a/4", "telemetry")?.seq).toBeGreaterThan(0);
      expect(ledgerFaultsOf(log)).toEqual([]);
      log.close();
    }
  });
});
