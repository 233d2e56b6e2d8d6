import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { openLog, type SqliteLog } from "../../edge/log/log.ts";
import { uniform } from "../../test/support/block-samples.ts";
import { noiseOf, sampleOf, telemetryOf } from "../../test/support/events.ts";
import { ManualClock } from "../../test/support/manual-clock.ts";
import { tempFolder } from "../../test/support/temp-folder.ts";
import type { NewEvent, StoredEvent } from "../contract/event.ts";
import { type LogBatch, LogBatches } from "./log-batch.ts";
import type { LogPosition } from "./log-cursor.ts";

const START_MS = 1_780_000_000_000;
const MACHINES = ["redmond/mill-01", "redmond/mill-02", "redmond/press-03"];
const RARE = ["alarm", "state", "gap"];

let logs: SqliteLog[] = [];
afterEach(() => {
  for (const log of logs) log.close();
  logs = [];
});

function opened(options: { quotaBytes?: number } = {}): { log: SqliteLog; clock: ManualClock; batches: LogBatches } {
  const clock = new ManualClock(START_MS);
  const log = openLog({ path: join(tempFolder(), "log.db"), clock, diskReserveBytes: 0, ...options });
  logs.push(log);
  const batches = new LogBatches(log, () => ({ factoryId: "redmond", deviceId: "redmond", enqueuedMs: clock.nowMs() }));
  return { log, clock, batches };
}

/** One event of some of the machines, an alarm now and then. */
function roundOf(n: number, next: () => number): NewEvent[] {
  const timeMs = START_MS + n * 1_000;
  const machines = MACHINES.filter(() => next() < 0.7);
  const samples = (machineId: string) => [sampleOf("a", n), sampleOf("b", `${machineId} ${n}`)];
  const events = machines.map((machineId) => telemetryOf(machineId, samples(machineId), timeMs));
  if (next() < 0.15) events.push({ type: "alarm", machineId: MACHINES[n % 3] as string, timeMs, data: { n } });
  return events;
}

/** Stands for the writer: events by identity, how often each was offered, and seqs that a roll-up speaks for. */
class Taken {
  readonly events = new Map<string, StoredEvent>();
  readonly rollups = new Set<string>();
  offered = 0;

  take({ arrivals, refusals }: LogBatch): void {
    expect(refusals).toEqual([]);
    for (const arrival of arrivals) {
      if (arrival.kind === "rollup")
        for (let seq = arrival.rollup.firstSeq; seq <= arrival.rollup.lastSeq; seq++)
          this.rollups.add(`${arrival.rollup.machineId} ${seq}`);
      if (arrival.kind !== "run" && arrival.kind !== "events") continue;
      for (const event of arrival.kind === "run" ? arrival.block.events() : arrival.events) {
        this.offered++;
        this.events.set(`${event.machineId} ${event.seq}`, event);
      }
    }
  }
}

function sorted(events: Iterable<StoredEvent>): StoredEvent[] {
  return [...events].sort((a, b) => a.offset - b.offset);
}

function allOf(log: SqliteLog): StoredEvent[] {
  const found: StoredEvent[] = [];
  for (let offset = 0; ; offset = found.at(-1)?.offset ?? 0) {
    const page = log.readAfter(offset, { limitEvents: 10_000 });
    found.push(...page);
    if (page.length < 10_000) return found;
  }
}

// Goal: whatever comes between reads (appends, seals) and whichever batch is lost with the process before its cursor was saved, all events
// are handed over, as they are.
// Method: random steps by a seed, on a real log; the reader begins anew from the cursor that was last saved.
test.each([1, 2, 3, 4, 5, 6])(
  "nothing is left out, whatever is sealed meanwhile and wherever the reader dies (seed %i)",
  async (seed) => {
    const next = uniform(seed);
    const { log, clock, batches } = opened();
    const taken = new Taken();
    let position: LogPosition | undefined;
    for (let step = 1; step <= 300; step++) {
      const kind = next();
      if (kind < 0.45) {
        await clock.advance(1_000);
        await log.append(roundOf(step, next), "now");
      } else if (kind < 0.55) while (log.sealStep());
      else if (kind < 0.6) log.sealStep();
      else {
        const batch = batches.next(position);
        // A batch that is written and whose cursor is not: it comes again.
        taken.take(batch);
        if (next() < 0.8) position = batch.behind;
      }
    }
    for (let isLast = false; !isLast; ) {
      const batch = batches.next(position);
      taken.take(batch);
      ({ behind: position, isLast } = batch);
    }
    expect(position?.whole).toBe(log.head());
    expect(sorted(taken.events.values())).toEqual(allOf(log));
    expect(taken.offered, "few events are handed over twice").toBeLessThan(log.head() * 2);
  },
);

test("a backlog goes as it is sealed; what is not telemetry goes first", async () => {
  const { log, clock, batches } = opened();
  for (let n = 1; n <= 200; n++) {
    await clock.advance(1_000);
    await log.append(roundOf(n, uniform(n)), "now");
    if (n % 60 === 0) log.seal();
  }
  const first = batches.next(undefined);
  expect(first.arrivals.every(({ kind }) => kind === "events")).toBe(true);
  const rare = allOf(log).filter(({ type }) => type !== "telemetry");
  expect(sorted(first.arrivals.flatMap((one) => (one.kind === "events" ? [...one.events] : [])))).toEqual(rare);
  const second = batches.next(first.behind);
  const stored = log.readBlocks(0, { limitBytes: 2 ** 30 }).map(({ bytes }) => bytes);
  expect(second.arrivals.map((one) => (one.kind === "run" ? Buffer.from(one.bytes ?? []) : undefined))).toEqual(stored);
  const third = batches.next(second.behind);
  expect(third.arrivals.map((one) => one.kind === "run" && one.block.head.firstSeq)).not.toContain(1);
  expect(third.behind.whole).toBeGreaterThan(second.behind.blocks);
});

test("of a block that was mostly read from the tail only the rest goes; one that is mostly new goes whole", async () => {
  const { log, clock, batches } = opened();
  const appendTo = async (machineId: string, count: number): Promise<void> => {
    for (let n = 0; n < count; n++) {
      await clock.advance(1_000);
      await log.append([telemetryOf(machineId, [sampleOf("a", n)], clock.nowMs())], "now");
    }
  };
  await appendTo("redmond/early", 80);
  await appendTo("redmond/late", 5);
  let at: LogPosition | undefined;
  for (let isLast = false; !isLast; ) ({ behind: at, isLast } = batches.next(at));
  await appendTo("redmond/early", 20);
  await appendTo("redmond/late", 75);
  log.seal();
  const { arrivals } = batches.next(at);
  const seqs = arrivals.map(
    (one) => one.kind === "run" && [one.block.head.machineId, one.block.head.firstSeq, one.block.head.lastSeq],
  );
  expect(seqs).toEqual([
    ["redmond/early", 81, 100],
    ["redmond/late", 1, 80],
  ]);
});

test("of what had to make room comes what is left: roll-ups, and all that is not telemetry", async () => {
  const { log, clock, batches } = opened({ quotaBytes: 2 << 20 });
  for (let n = 0; n < 30; n++) {
    await clock.advance(60_000);
    const alarm: NewEvent = { type: "alarm", machineId: "redmond/mill-01", timeMs: clock.nowMs(), data: { n } };
    await log.append([...noiseOf("redmond/mill-01", 60, 200, clock.nowMs()), alarm], "now");
    log.seal();
    while (log.maintain());
  }
  const taken = new Taken();
  let position: LogPosition | undefined;
  for (let isLast = false; !isLast; ) {
    const batch = batches.next(position);
    taken.take(batch);
    ({ behind: position, isLast } = batch);
  }
  const isRare = ({ type }: StoredEvent): boolean => RARE.includes(type);
  expect(taken.rollups.size).toBeGreaterThan(0);
  expect(sorted(taken.events.values()).filter(isRare)).toEqual(allOf(log).filter(isRare));
  expect(sorted(taken.events.values())).toEqual(allOf(log));
});

test("another log at the same place is read from its beginning", async () => {
  const first = opened();
  await first.log.append(
    roundOf(1, () => 0.1),
    "now",
  );
  const { behind } = first.batches.next(undefined);
  const second = opened();
  await second.log.append(
    roundOf(2, () => 0.1),
    "now",
  );
  const taken = new Taken();
  taken.take(second.batches.next(behind));
  expect(sorted(taken.events.values())).toEqual(allOf(second.log));
});
