import { join } from "node:path";
import { expect, test } from "vitest";
import { noiseOf, sampleOf, telemetryOf } from "../../test/support/events.ts";
import { everyEvent } from "../../test/support/log-checks.ts";
import { ManualClock } from "../../test/support/manual-clock.ts";
import { tempFolder } from "../../test/support/temp-folder.ts";
import type { ClockJump } from "./clock-watch.ts";
import type { LogReader } from "./event-log.ts";
import { openLog, type SqliteLog } from "./log.ts";

const OWN = "a/edge";
const YEARS_MS = 7 * 365 * 86_400_000;
const DAY_MS = 86_400_000;

function open(path: string, clock: ManualClock): SqliteLog {
  return openLog({ path, clock, ownStream: OWN, diskReserveBytes: 0, maxAgeMs: 2 * DAY_MS });
}

function jumpsOf(log: LogReader): ClockJump[] {
  return log
    .readStream(OWN, 0, { limitEvents: 100, types: ["state"] })
    .map(({ data }) => (data as unknown as { clockJump: ClockJump }).clockJump);
}

function keep(log: SqliteLog): void {
  while (log.maintain());
}

test("L23 P18 a clock that jumps by years is told, and neither order nor seals nor reads depend on it", async () => {
  const clock = new ManualClock();
  const log = open(join(tempFolder(), "log.db"), clock);
  let n = 0;
  const append = (): Promise<number> => log.append([telemetryOf("a/1", [sampleOf("x", n++)], clock.nowMs())], "now");
  for (const jumpMs of [YEARS_MS, -2 * YEARS_MS, YEARS_MS, 1_900, -1_900]) {
    await append();
    keep(log);
    clock.jumpWall(jumpMs);
    await append();
    await clock.advance(1_000);
    keep(log);
  }
  expect(jumpsOf(log).map(({ jumpMs, when }) => [jumpMs, when])).toEqual([
    [YEARS_MS, "running"],
    [-2 * YEARS_MS, "running"],
    [YEARS_MS, "running"],
  ]);
  for (const { fromMs, toMs, jumpMs } of jumpsOf(log)) expect(toMs - fromMs - jumpMs).toBe(1_000);
  const own = (): unknown[] =>
    log
      .readStream("a/1", 0, { limitEvents: 100 })
      .map((event) => event.type === "telemetry" && event.data.samples[0]?.value);
  expect(own()).toEqual(Array.from({ length: 10 }, (_, i) => i));
  const events = everyEvent(log);
  log.seal();
  expect(everyEvent(log)).toEqual(events);
  expect(own()).toEqual(Array.from({ length: 10 }, (_, i) => i));
  expect(log.readTime("a/1", clock.nowMs() + YEARS_MS / 2, 9e15, { limitEvents: 10 }).map(({ seq }) => seq)).toEqual([
    2, 3,
  ]);
  // What waits is sealed five minutes of running time after it came, however the clock stands.
  clock.jumpWall(-YEARS_MS);
  await append();
  await clock.advance(301_000);
  keep(log);
  expect(log.readBlocks(0, { limitBytes: 1e9 }).findLast(({ machineId }) => machineId === "a/1")?.lastSeq).toBe(11);
  log.close();
});

test("L23 P18 blocks expire by the log's own running time: years of clock take nothing, two days of running do", async () => {
  const path = join(tempFolder(), "log.db");
  const clock = new ManualClock();
  let log = open(path, clock);
  const sealMore = async (): Promise<void> => {
    await log.append(noiseOf("a/1", 2, 3), "now");
    log.seal();
    keep(log);
  };
  const seqs = (): number[] =>
    log.readStream("a/1", 0, { limitEvents: 100, types: ["telemetry"] }).map(({ seq }) => seq);
  await sealMore();
  clock.jumpWall(YEARS_MS);
  await sealMore();
  clock.jumpWall(-2 * YEARS_MS);
  await sealMore();
  expect(seqs()).toEqual([1, 2, 3, 4, 5, 6]);
  // A restart does not begin the count anew.
  await clock.advance(1.5 * DAY_MS);
  await sealMore();
  log.close();
  log = open(path, clock);
  await clock.advance(1 * DAY_MS);
  await sealMore();
  await sealMore();
  // 11 is the gap event.
  expect(seqs()).toEqual([7, 8, 9, 10, 12, 13]);
  const [gap, ...more] = log.readStream("a/1", 0, { limitEvents: 9, types: ["gap"] });
  expect(more).toEqual([]);
  expect(gap?.data).toMatchObject({ cause: "expired", samples: 18, firstSeq: 1, lastSeq: 6 });
  log.close();
});

test("L23 a jump back before the start is told; one that the disk refuses to take is told later", async () => {
  const path = join(tempFolder(), "log.db");
  const clock = new ManualClock();
  const first = open(path, clock);
  await first.append([telemetryOf("a/1", [sampleOf("x", 1)])], "now");
  first.close();
  clock.jumpWall(-YEARS_MS);
  const log = open(path, clock);
  keep(log);
  expect(jumpsOf(log)).toMatchObject([{ jumpMs: -YEARS_MS, when: "restart" }]);
  clock.jumpWall(YEARS_MS);
  const { database } = log as unknown as { database: { pragma: (text: string) => unknown } };
  database.pragma("query_only = 1");
  expect(() => log.maintain()).toThrow();
  await clock.advance(1_000);
  database.pragma("query_only = 0");
  keep(log);
  expect(jumpsOf(log).map(({ jumpMs }) => jumpMs)).toEqual([-YEARS_MS, YEARS_MS]);
  log.close();
});
