import pino from "pino";
import { expect, test } from "vitest";
import { systemClock } from "../../edge/kernel/clock.ts";
import { EdgeError } from "../../edge/kernel/errors.ts";
import { uniform } from "../../test/support/block-samples.ts";
import { machineStream } from "../../test/support/machine-streams.ts";
import { blockOf, eventsOf, type FeedBench, feedBench } from "../../test/support/projected-feed.ts";
import { Database } from "../database/database.ts";
import { rebuildProjection } from "./rebuild.ts";
import { ProjectionRunner } from "./runner.ts";
import { projectionStatus } from "./status.ts";

const quiet = pino({ level: "silent" });
const START_MS = 1_779_990_000_000;

/** A machine's events in documents of a few, and how many readings there are. */
function documentsOf(machineId: string, events: number, size = 3) {
  const stream = machineStream(machineId, events, { startMs: START_MS });
  const documents = [];
  for (let from = 0; from < events; from += size) documents.push(blockOf(stream.slice(from, from + size)));
  const samples = stream.reduce((sum, event) => sum + (event.type === "telemetry" ? event.data.samples.length : 0), 0);
  return { documents, samples, last: stream.at(-1) };
}

/** Numbers only: the third signal of the streams is text. */
async function counted(database: Database, prefix: string): Promise<number> {
  const { rows } = await database.query<{ n: number }>(
    "SELECT coalesce(sum(count), 0)::int8 AS n FROM report.rollup_1h WHERE starts_with(machine_id, $1)",
    [prefix],
  );
  return rows[0]?.n ?? 0;
}

async function eventually(what: string, condition: () => Promise<boolean>, withinMs = 15_000): Promise<void> {
  const untilMs = performance.now() + withinMs;
  while (!(await condition())) {
    if (performance.now() > untilMs) throw new Error(`not within ${withinMs} ms: ${what}`);
    await systemClock.sleep(20);
  }
}

function start(bench: FeedBench, database: Database, projections?: readonly string[]) {
  const { store, clock } = bench;
  const names = projections === undefined ? {} : { projections };
  const runner = new ProjectionRunner({ store, database, clock, logger: quiet, ...names });
  const controller = new AbortController();
  const ended = runner.run(controller.signal, () => undefined);
  const stop = (): Promise<void> => {
    controller.abort();
    return ended;
  };
  return { runner, stop };
}

test("two runners share the projections, each is in one, and the other takes over", { timeout: 40_000 }, async () => {
  await using bench = await feedBench();
  await using other = new Database({ url: bench.url, connectionsMax: 12 });
  const names = ["machine_latest", "ledger", "alarm"];
  const first = start(bench, bench.database, names);
  const second = start(bench, other, names);
  const { documents, last } = documentsOf("two/a", 60);
  const isThere = async (seq: number | undefined): Promise<boolean> => {
    const { rows } = await bench.database.query<{ seq: number; events: number }>(
      "SELECT m.seq, l.events FROM model.machine_latest m JOIN model.ledger_stream l USING (machine_id) WHERE machine_id = 'two/a'",
    );
    return rows[0]?.seq === seq && rows[0]?.events === seq;
  };
  await bench.put(documents.slice(0, 10));
  await eventually("projected by one of the two", () => isThere(30));
  const shares = [...names].map((name) => [first.runner.progress().get(name), second.runner.progress().get(name)]);
  for (const [a = 0, b = 0] of shares) expect(Math.min(a, b)).toBe(0);
  await first.stop();
  await bench.put(documents.slice(10));
  await eventually("projected by the other", () => isThere(last?.seq));
  await second.stop();
  const { rows } = await bench.database.query(
    "SELECT occurrences FROM model.alarm WHERE machine_id = 'two/a' AND state = 'normal'",
  );
  expect(rows).toHaveLength(5);
});

test("processes that both believe to own a projection count once", { timeout: 30_000 }, async () => {
  await using bench = await feedBench();
  const { signal } = new AbortController();
  const { documents, samples } = documentsOf("cas/a", 90);
  const loops = [...bench.loops(["rollups"]), ...bench.loops(["rollups"])];
  let refusals = 0;
  for (let at = 0; at < documents.length; at += 5) {
    await bench.put(documents.slice(at, at + 5));
    const steps = await Promise.allSettled(loops.map((loop) => loop.step(signal, true)));
    for (const step of steps) {
      if (step.status === "fulfilled") continue;
      expect(step.reason).toMatchObject({ code: "DATABASE_UNAVAILABLE" });
      refusals++;
    }
  }
  await bench.project(bench.loops(["rollups"]));
  expect(refusals).toBeGreaterThan(0);
  expect(await counted(bench.database, "cas/")).toBe(Math.round((samples * 2) / 3));
});

test("connections that break in the middle of transactions change nothing but the time it takes", {
  timeout: 30_000,
}, async () => {
  await using bench = await feedBench();
  const { signal } = new AbortController();
  await using killer = new Database({ url: bench.url, connectionsMax: 1, applicationName: "killer" });
  const { documents, samples } = documentsOf("broken/a", 60);
  const loops = bench.loops();
  const ended = new AbortController();
  const killing = (async () => {
    while (!ended.signal.aborted) {
      await systemClock.sleep(15, ended.signal);
      await killer.query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND application_name <> 'killer' AND xact_start IS NOT NULL",
      );
    }
  })();
  let failures = 0;
  for (let at = 0; at < documents.length; at += 4) {
    for (let isPut = false; !isPut; )
      isPut = await bench.put(documents.slice(at, at + 4)).then(
        () => true,
        () => false,
      );
    for (const loop of loops) {
      try {
        await loop.step(signal, true);
      } catch (error) {
        expect(error).toBeInstanceOf(EdgeError);
        loop.forget();
        failures++;
      }
    }
  }
  ended.abort();
  await killing;
  await bench.project(loops);
  expect(failures).toBeGreaterThan(0);
  expect(await counted(bench.database, "broken/")).toBe(Math.round((samples * 2) / 3));
  const { rows } = await bench.database.query("SELECT events, samples, missing FROM model.ledger_stream");
  expect(rows).toEqual([{ events: 60, samples, missing: 0 }]);
});

test("P10 documents that can't be read or projected are set aside, and what is behind them is projected", {
  timeout: 30_000,
}, async () => {
  await using bench = await feedBench();
  const { documents } = documentsOf("poison/a", 12);
  const damaged = blockOf(machineStream("poison/b", 3));
  const body = Buffer.from(damaged.document.body ?? []);
  body[body.length - 9] = (body[body.length - 9] as number) ^ 0x5a;
  const alarm = {
    epoch: "e",
    machineId: "poison/a",
    seq: 500,
    offset: 1,
    timeMs: START_MS,
    entityId: "x",
    type: "alarm",
  } as const;
  // Longer than an index of PostgreSQL takes.
  const next = uniform(7);
  const alarmId = Array.from({ length: 9_000 }, () => String.fromCharCode(0x4e00 + next() * 20_000)).join("");
  await bench.put([
    { ...damaged, document: { ...damaged.document, body } },
    eventsOf([{ ...alarm, data: { alarmId } }]),
    { ...damaged, document: { id: "note", kind: "note", fields: {} } },
    ...documents,
  ]);
  const loops = bench.loops();
  await bench.project(loops);
  const { database, store } = bench;
  const { rows } = await database.query("SELECT seq FROM model.machine_latest WHERE machine_id = 'poison/a'");
  expect(rows).toEqual([{ seq: 12 }]);
  expect((await database.query("SELECT alarm_id FROM model.alarm")).rows).toEqual([{ alarm_id: "a-11" }]);
  const status = await projectionStatus(database, store);
  expect(status.find(({ name }) => name === "machine_latest")).toMatchObject({
    unreadable: 2,
    lagMs: 0,
    state: "current",
  });
  expect(status.find(({ name }) => name === "alarm")).toMatchObject({ unreadable: 3, lagMs: 0, documents: 7 });
});

test("what is stored is projected at once, and another version of a projection is made anew", {
  timeout: 30_000,
}, async () => {
  await using bench = await feedBench();
  const { documents } = documentsOf("soon/a", 9);
  const running = start(bench, bench.database, ["machine_latest", "ledger"]);
  await bench.put(documents.slice(0, 1));
  const isSeq = (seq: number) => async (): Promise<boolean> => {
    const { rows } = await bench.database.query<{ seq: number }>("SELECT seq FROM model.machine_latest");
    return rows[0]?.seq === seq;
  };
  await eventually("the first", isSeq(3));
  // Now the feed is looked at seldom.
  await systemClock.sleep(700);
  await bench.put(documents.slice(1, 2));
  running.runner.notify();
  const since = performance.now();
  await eventually("the second", isSeq(6), 3_000);
  expect(performance.now() - since).toBeLessThan(1_500);
  await running.stop();
  await bench.database.query("UPDATE model.projection SET version = 0 WHERE name = 'machine_latest'");
  await bench.database.query("UPDATE model.machine_latest SET seq = 77, event_at = '2026-06-01'");
  expect((await projectionStatus(bench.database, bench.store)).map(({ name, state }) => [name, state])).toContainEqual([
    "rollups",
    "never run",
  ]);
  const again = start(bench, bench.database, ["machine_latest"]);
  await eventually("made anew", isSeq(6));
  await again.stop();
});

test("a projection is made anew while a runner runs, which gives it away and takes it back", {
  timeout: 30_000,
}, async () => {
  await using bench = await feedBench();
  const { documents } = documentsOf("anew/a", 12);
  const running = start(bench, bench.database, ["machine_latest", "ledger"]);
  const isSeq = (seq: number) => async (): Promise<boolean> => {
    const { rows } = await bench.database.query<{ seq: number }>("SELECT seq FROM model.machine_latest");
    return rows[0]?.seq === seq;
  };
  await bench.put(documents.slice(0, 3));
  await eventually("projected", isSeq(9));
  await bench.database.query("UPDATE model.machine_latest SET device_id = 'wrong'");
  const { database, store, clock } = bench;
  const progress: number[] = [];
  const options = { database, store, clock, logger: quiet, signal: new AbortController().signal };
  await rebuildProjection("machine_latest", { ...options, onProgress: (documents) => progress.push(documents) });
  expect(progress.at(-1)).toBe(3);
  expect((await database.query("SELECT device_id FROM model.machine_latest")).rows).toEqual([{ device_id: "box-1" }]);
  await bench.put(documents.slice(3));
  await eventually("projected by the runner again", isSeq(12));
  await running.stop();
  const { rows } = await database.query(
    "SELECT rebuilding, rebuilt_at IS NOT NULL AS is_rebuilt FROM model.projection WHERE name = 'machine_latest'",
  );
  expect(rows).toEqual([{ rebuilding: false, is_rebuilt: true }]);
});
