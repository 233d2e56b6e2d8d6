import pino from "pino";
import { expect, test } from "vitest";
import { systemClock } from "../../../edge/kernel/clock.ts";
import { sampleOf } from "../../../test/support/events.ts";
import {
  blockOf,
  eventsOf,
  type FeedBench,
  feedBench,
  ORIGIN,
  type PlacedDocument,
} from "../../../test/support/projected-feed.ts";
import type { StoredEvent } from "../../contract/event.ts";
import { RollupBuilder } from "../../contract/rollup/rollup-builder.ts";
import { partitionOf } from "../../store/telemetry-document.ts";
import { rollupDocument } from "../../store/write-telemetry.ts";
import { rebuildProjection } from "../rebuild.ts";

const DAY_MS = 86_400_000;
const NOON_MS = Date.UTC(2026, 4, 20, 12);

/** One reading of signal "a". */
function reading(seq: number, value: number, receivedMs: number, epoch = "e", machineId = "m"): StoredEvent {
  const sample = sampleOf("a", value, { receivedTimestampMs: receivedMs });
  const identity = { epoch, machineId, seq, offset: seq, entityId: `${epoch}/${machineId}/${seq}` };
  return { ...identity, type: "telemetry", timeMs: receivedMs, data: { samples: [sample] } };
}

async function minutes({ database }: FeedBench, table = "rollup_1m", time = "minute_at") {
  const { rows } = await database.query<{ at: Date; count: number; sum: number }>(
    `SELECT ${time} AS at, count::int, sum FROM report.${table} ORDER BY 1`,
  );
  return rows.map(({ at, count, sum }) => [at.toISOString(), count, sum]);
}

const clockAt = (ms: () => number) => ({ ...systemClock, nowMs: ms });

test("readings of impossible times count in the minute in which the hub took them, and make no partition", async () => {
  const enqueuedMs = ORIGIN.enqueuedMs;
  await using bench = await feedBench();
  const times = [8.6e15, -8.6e15, 0, Number.MAX_VALUE, enqueuedMs + 1, enqueuedMs, 1e300];
  await bench.put([blockOf(times.map((ms, i) => reading(i + 1, 2 ** i, ms)))]);
  await bench.project(bench.loops(["rollups", "machine_latest"]));
  const minute = new Date(Math.floor(enqueuedMs / 60_000) * 60_000).toISOString();
  expect(await minutes(bench)).toEqual([[minute, 7, 127]]);
  const { rows } = await bench.database.query(
    "SELECT count(*)::int AS n FROM pg_inherits WHERE inhparent = 'model.rollup_1m'::regclass",
  );
  expect(rows).toEqual([{ n: 1 }]);
  const { rows: latest } = await bench.database.query("SELECT number FROM report.machine_latest");
  expect(latest).toEqual([{ number: 64 }]);
});

test("minutes are kept for thirty days, hours for ever", async () => {
  let nowMs = NOON_MS;
  await using bench = await feedBench(clockAt(() => nowMs));
  const old = blockOf([reading(1, 5, NOON_MS - 40 * DAY_MS)], undefined, { ...ORIGIN, enqueuedMs: NOON_MS });
  const young = blockOf([reading(2, 6, NOON_MS - 60_000)], undefined, { ...ORIGIN, enqueuedMs: NOON_MS });
  await bench.put([old, young]);
  await bench.project(bench.loops(["rollups"]));
  const hours = [
    ["2026-04-10T12:00:00.000Z", 1, 5],
    ["2026-05-20T11:00:00.000Z", 1, 6],
  ];
  expect(await minutes(bench)).toEqual([["2026-05-20T11:59:00.000Z", 1, 6]]);
  expect(await minutes(bench, "rollup_1h", "hour_at")).toEqual(hours);
  nowMs += 31 * DAY_MS;
  await bench.project(bench.loops(["rollups"]));
  expect(await minutes(bench)).toEqual([]);
  expect(await minutes(bench, "rollup_1h", "hour_at")).toEqual(hours);
});

test("what expired documents have made stays when the rollups are made anew", async () => {
  let nowMs = NOON_MS;
  await using bench = await feedBench(clockAt(() => nowMs));
  const put = (seq: number, value: number, receivedMs: number, epoch = "e"): Promise<void> =>
    bench.put([blockOf([reading(seq, value, receivedMs, epoch)], undefined, { ...ORIGIN, enqueuedMs: nowMs })]);
  const loops = bench.loops(["rollups", "ledger"]);
  await put(1, 1, NOON_MS);
  await bench.project(loops);
  nowMs += 20 * DAY_MS;
  // A backlog of the same hour that came so late that it will still be there.
  await put(2, 2, NOON_MS + 1_000);
  await put(3, 4, nowMs - 1);
  await bench.project(loops);
  nowMs += 15 * DAY_MS;
  await put(4, 8, NOON_MS + 2_000);
  await bench.project(loops);
  await bench.store.ensure(new AbortController().signal);
  const before = [
    await minutes(bench, "rollup_1h", "hour_at"),
    (await bench.database.query("SELECT * FROM model.ledger_stream")).rows,
  ];
  expect(before[0]).toEqual([
    ["2026-05-20T12:00:00.000Z", 3, 11],
    ["2026-06-09T11:00:00.000Z", 1, 4],
  ]);
  const { database, store, clock } = bench;
  const options = { database, store, clock, signal: new AbortController().signal, logger: pino({ level: "silent" }) };
  for (const name of ["rollups", "ledger", "rollups"]) expect(await rebuildProjection(name, options)).toBe(3);
  expect([
    await minutes(bench, "rollup_1h", "hour_at"),
    (await database.query("SELECT * FROM model.ledger_stream")).rows,
  ]).toEqual(before);
  // What comes late from now on counts.
  await put(5, 16, NOON_MS + 3_000);
  await bench.project(bench.loops(["rollups"]));
  expect((await minutes(bench, "rollup_1h", "hour_at"))[0]).toEqual(["2026-05-20T12:00:00.000Z", 4, 27]);
});

function thinnedOf(firstSeq: number, values: readonly number[], startMs: number): PlacedDocument {
  const builder = new RollupBuilder();
  for (const [i, value] of values.entries()) builder.add(0, startMs + i, value, 0);
  const [epoch, machineId, lastSeq] = ["e", "m", firstSeq + values.length - 1];
  const range = { firstSeq, lastSeq, firstOffset: firstSeq, lastOffset: lastSeq };
  const part = { epoch, machineId, ...range, samples: values.length, names: ["a"], aggregates: builder.finish() };
  return {
    container: "telemetry",
    partition: partitionOf({ epoch, machineId, seq: firstSeq }),
    document: rollupDocument(part, ORIGIN),
  };
}

test.each(["before", "after"])("a roll-up that comes %s all readings of its range says nothing new", async (order) => {
  await using bench = await feedBench();
  const startMs = ORIGIN.enqueuedMs - 600_000;
  const loops = bench.loops(["rollups", "ledger"]);
  const whole = [thinnedOf(1, [3, 5], startMs), blockOf([reading(1, 3, startMs), reading(2, 5, startMs + 1)])];
  const partly = [thinnedOf(10, [7, 9], startMs), blockOf([reading(10, 7, startMs)])];
  for (const document of [...(order === "before" ? whole : whole.toReversed()), ...partly]) {
    await bench.put([document]);
    await bench.project(loops);
  }
  const { rows } = await bench.database.query("SELECT first_seq, count, minimum, maximum, mean FROM model.thinned_1m");
  expect(rows).toEqual([{ first_seq: 10, count: 2, minimum: 7, maximum: 9, mean: expect.closeTo(8, 3) }]);
  const { rows: ranges } = await bench.database.query(
    "SELECT first_seq, last_seq, state FROM model.ledger_range ORDER BY first_seq",
  );
  expect(ranges).toEqual([
    { first_seq: 1, last_seq: 2, state: "here" },
    { first_seq: 10, last_seq: 10, state: "here" },
    { first_seq: 11, last_seq: 11, state: "thinned" },
  ]);
  const { rows: streams } = await bench.database.query(
    "SELECT events, thinned, missing, lost FROM model.ledger_stream",
  );
  expect(streams).toEqual([{ events: 3, thinned: 1, missing: 7, lost: 0 }]);
});

test("devices of another make: readings are rows, are rolled up, and nothing is said to be missing", async () => {
  await using bench = await feedBench();
  const atMs = ORIGIN.enqueuedMs - 60_000;
  const foreign = (seq: number, value: number) => eventsOf([reading(seq, value, atMs, "iothub:h/0", "lab/press")]);
  await bench.put([foreign(2048, 1), foreign(7168, 2), foreign(5120, 4)]);
  await bench.put([foreign(7168, 2)]);
  await bench.project(bench.loops());
  const { rows } = await bench.database.query(
    "SELECT event_type, event_data FROM report.machine_telemetry ORDER BY (event_data->>'a')::int",
  );
  expect(rows).toEqual([1, 2, 4].map((a) => ({ event_type: "Telemetry Ingest", event_data: { a } })));
  expect((await minutes(bench)).map(([, count, sum]) => [count, sum])).toEqual([[3, 7]]);
  const { rows: streams } = await bench.database.query(
    "SELECT numbered, events, samples, missing FROM model.ledger_stream",
  );
  expect(streams).toEqual([{ numbered: false, events: 3, samples: 3, missing: 0 }]);
  const { rows: latest } = await bench.database.query("SELECT number, seq FROM report.machine_latest");
  expect(latest).toEqual([{ number: 2, seq: 7168 }]);
});
