import { rmSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { expect, onTestFinished, test } from "vitest";
import { systemClock } from "../../../edge/kernel/clock.ts";
import { openFollowingLog } from "../../../edge/log/following-log.ts";
import { openLog } from "../../../edge/log/log.ts";
import { FUZZ_SEED } from "../../../test/support/any-events.ts";
import { sampleOf, telemetryOf } from "../../../test/support/events.ts";
import { tempFolder } from "../../../test/support/temp-folder.ts";
import { until } from "../../../test/support/until.ts";
import type { StoredEvent } from "../../contract/event.ts";
import { Sequence } from "../sequence.ts";
import { ReadSize } from "./lane-deps.ts";
import { OffsetRanges } from "./offset-ranges.ts";
import { TelemetryCursor } from "./telemetry-cursor.ts";

async function cursorOf(events: number) {
  const log = openLog({ path: join(tempFolder(), "log.db"), clock: systemClock, quotaBytes: 1e9, maxAgeMs: 1e12 });
  onTestFinished(() => log.close());
  await log.append(
    Array.from({ length: events }, () => telemetryOf("redmond/mill-01", [])),
    "now",
  );
  const cursor = new TelemetryCursor(log);
  cursor.load();
  return { log, cursor };
}

test("blocks move the lane's cursor up to the end of the backlog at most; what is whole follows at its end", async () => {
  const { log, cursor } = await cursorOf(30);
  cursor.openBacklog(20);
  cursor.freshDone(20, 25);
  cursor.takenTo(12);
  expect([cursor.taken, cursor.whole, log.cursor("uplink.telemetry")]).toEqual([12, 0, 12]);
  // A block that reaches into what is fresh: another machine's fresh event below its end may still be under way.
  cursor.takenTo(27);
  expect([cursor.taken, cursor.whole]).toEqual([20, 0]);
  cursor.wholeTo(22);
  expect([cursor.taken, cursor.whole, cursor.backlogEnd]).toEqual([25, 25, undefined]);
});

test("a crash among blocks leaves a backlog that begins with those that were not taken", async () => {
  const { log, cursor } = await cursorOf(30);
  cursor.openBacklog(20);
  cursor.takenTo(12);
  const next = new TelemetryCursor(log);
  next.load();
  expect([next.taken, next.whole, next.backlogEnd]).toEqual([12, 0, 12]);
  next.openBacklog(30);
  next.wholeTo(30);
  next.load();
  expect([next.taken, next.whole, next.backlogEnd]).toEqual([30, 30, undefined]);
});

test("without a backlog the cursor passes only what is done with from it on", async () => {
  const { log, cursor } = await cursorOf(30);
  cursor.freshDone(5, 9);
  expect(log.cursor("uplink.telemetry")).toBe(0);
  cursor.freshDone(0, 5);
  expect(log.cursor("uplink.telemetry")).toBe(9);
});

test("stretches say of each offset whether it was added", () => {
  const stretch = fc.tuple(fc.nat(30), fc.nat(12)).map(([after, length]) => [after, after + length] as const);
  fc.assert(
    fc.property(fc.array(stretch, { maxLength: 8 }), fc.nat(40), fc.nat(10), (stretches, first, length) => {
      const ranges = new OffsetRanges();
      const model = new Set<number>();
      for (const [after, to] of stretches) {
        ranges.add(after, to);
        for (let offset = after + 1; offset <= to; offset++) model.add(offset);
      }
      const asked = Array.from({ length: length + 1 }, (_, i) => first + i);
      expect(ranges.has(first)).toBe(model.has(first));
      expect(ranges.covers(first, first + length)).toBe(asked.every((offset) => model.has(offset)));
      expect(ranges.touches(first, first + length)).toBe(asked.some((offset) => model.has(offset)));
      let end = first;
      while (model.has(end + 1)) end++;
      expect(ranges.endAfter(first)).toBe(end);
    }),
    { seed: FUZZ_SEED, numRuns: 500 },
  );
});

test("steps take effect in their order, however they are done", () => {
  const effects: number[] = [];
  const sequence = new Sequence();
  const done = [0, 1, 2, 3].map((step) => sequence.add(() => effects.push(step)));
  done[2]?.();
  done[0]?.();
  expect(effects).toEqual([0]);
  done[1]?.();
  expect(effects).toEqual([0, 1, 2]);
  sequence.forget();
  done[3]?.();
  expect([effects, sequence.length]).toEqual([[0, 1, 2], 0]);
});

test("what is acknowledged of a log that was replaced moves no cursor of the new one", async () => {
  const path = join(tempFolder(), "log.db");
  const options = { path, clock: systemClock, quotaBytes: 1e9, maxAgeMs: 1e12 };
  const appended = (log: ReturnType<typeof openLog>, events: number) =>
    log.append(
      Array.from({ length: events }, () => telemetryOf("redmond/mill-01", [])),
      "now",
    );
  const old = openLog(options);
  await appended(old, 30);
  const following = openFollowingLog(options);
  const cursor = new TelemetryCursor(following);
  cursor.load();
  old.close();
  for (const suffix of ["", "-wal", "-shm"]) rmSync(`${path}${suffix}`, { force: true });
  const fresh = openLog(options);
  await appended(fresh, 10);
  const { epoch } = fresh;
  await until("the new file", () => following.epoch === epoch);
  expect(() => cursor.freshDone(0, 30)).toThrow(expect.objectContaining({ code: "LOG_UNAVAILABLE" }));
  expect(fresh.cursor("uplink.telemetry")).toBe(0);
  cursor.load();
  cursor.freshDone(0, 10);
  expect(fresh.cursor("uplink.telemetry")).toBe(10);
  following.close();
  fresh.close();
});

test("as many events are read at once as hold some ten thousand readings, however large they are", () => {
  const size = new ReadSize(1_000);
  const eventsOf = (count: number, samples: number): StoredEvent[] =>
    Array.from({ length: count }, (_, i) => ({
      ...telemetryOf(
        "redmond/mill-01",
        Array.from({ length: samples }, (__, s) => sampleOf(`s${s}`, s)),
      ),
      epoch: "e",
      seq: i + 1,
      offset: i + 1,
      entityId: "",
    }));
  expect(size.events).toBe(16);
  const seen = [1, 100, 10_000, 0].map((samples) => {
    size.saw(eventsOf(4, samples));
    return size.events;
  });
  expect(seen).toEqual([1_000, 500, 5, 1_000]);
});
