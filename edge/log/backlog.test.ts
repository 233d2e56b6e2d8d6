import { join } from "node:path";
import { expect, test } from "vitest";
import { filledLog, fillRounds } from "../../test/support/filled-log.ts";
import { tempFolder } from "../../test/support/temp-folder.ts";
import { backlogPast } from "./backlog.ts";

// Three machines, 20 readings each, once a second.
const READINGS_PER_ROUND = 60;

test("what waits past an offset: all of it, a part of the blocks, a part of the tail, nothing", async () => {
  const { log, clock } = await filledLog(join(tempFolder(), "log.db"), { rounds: 120, signals: 20, sealEvery: 60 });
  const sealedHead = log.head();
  expect(backlogPast(log, 0).readings).toBe(120 * READINGS_PER_ROUND);
  expect(backlogPast(log, sealedHead)).toEqual({ events: 0, readings: 0 });
  await fillRounds(log, clock, { rounds: 10, signals: 20 });
  const fresh = log.head() - sealedHead;
  expect(backlogPast(log, sealedHead)).toEqual({ events: fresh, readings: 10 * READINGS_PER_ROUND });
  // In the middle of the second group of blocks: the half of it, and all of the tail.
  const groups = log.readBlocks(0, { limitBytes: 1e9 });
  const start = groups[3]?.firstOffset ?? 0;
  const middle = Math.round((start + sealedHead) / 2);
  const half = backlogPast(log, middle);
  expect(half.readings).toBeGreaterThan(38 * READINGS_PER_ROUND);
  expect(half.readings).toBeLessThan(42 * READINGS_PER_ROUND);
  log.close();
});
