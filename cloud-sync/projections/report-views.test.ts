import { afterAll, beforeAll, expect, test } from "vitest";
import { machineStream } from "../../test/support/machine-streams.ts";
import { blockOf, eventsOf, type FeedBench, feedBench, ORIGIN } from "../../test/support/projected-feed.ts";
import type { StoredEvent } from "../contract/event.ts";
import { metadataPartition } from "../store/metadata-document.ts";

const MINUTE_MS = 60_000;
let bench: FeedBench;
beforeAll(async () => {
  bench = await feedBench();
  const startMs = ORIGIN.enqueuedMs - 30 * MINUTE_MS;
  for (const machine of ["redmond/mill-01", "redmond/mill-02", 'o"dd \\ {x}%'])
    await bench.put([blockOf(machineStream(machine, 200, { startMs }))]);
  const box = { epoch: "e", offset: 1, timeMs: startMs, entityId: "x", machineId: "redmond/edge", seq: 1 } as const;
  await bench.put([
    eventsOf([
      { ...box, type: "connection", data: connection("connected", ["redmond/mill-01", "redmond/new"]) },
      { ...box, seq: 2, type: "connection", data: connection("degraded", ["redmond/mill-01"]) },
      { ...box, seq: 3, type: "alarm", data: { source: "log", what: "log-full", severity: "high", message: "full" } },
      { ...box, seq: 4, type: "alarm", data: { source: "log", what: "log-full", severity: "high", message: "fuller" } },
    ] as StoredEvent[]),
    eventsOf([gap({ cause: "shed", samples: 8, firstSeq: 210, lastSeq: 219, aggregates: false })]),
  ]);
  await bench.put([state("machine", "redmond/mill-01", 2, false), state("machine", "redmond/mill-02", 3, true)]);
  await bench.put([state("factory", "redmond", 1, false)]);
  await bench.project(bench.loops());
});
afterAll(() => bench[Symbol.asyncDispose]());

function connection(word: string, machineIds: readonly string[]) {
  const counters = {};
  return {
    connectionId: "c",
    protocol: "opcua",
    address: "a",
    state: word,
    detail: `is ${word}`,
    hint: null,
    machineIds,
    counters,
    problems: [],
  };
}

function gap(data: object): StoredEvent {
  const identity = { epoch: "g", machineId: "redmond/mill-02", seq: 230, offset: 1, entityId: "x" };
  return {
    ...identity,
    type: "gap",
    timeMs: ORIGIN.enqueuedMs,
    data: { fromMs: 0, toMs: 0, detail: "", ...data },
  } as StoredEvent;
}

function state(kind: "machine" | "factory", id: string, version: number, deleted: boolean) {
  const [at, by] = ["2026-05-01T00:00:00.000Z", "anna"];
  const data = { name: `${id}!`, serialNumber: "SN-1\0" };
  const who = { createdAt: at, createdBy: by, changedAt: at, changedBy: by };
  const fields = { kind, id, factoryId: "redmond", machineId: id, version, deleted, data, ...who };
  return {
    container: "metadata",
    partition: metadataPartition(kind, id),
    document: { id: "state", kind: "state", fields },
  } as const;
}

async function rows(text: string): Promise<Record<string, unknown>[]> {
  return (await bench.database.query(text)).rows;
}

test("every view of reports can be read, and says what each of its own columns is", async () => {
  const views = await rows("SELECT table_name AS name FROM information_schema.views WHERE table_schema = 'report'");
  expect(views.map(({ name }) => name).sort()).toEqual(
    "alarms anomalies factories ledger machine_latest machine_telemetry machines maintenance_aggregates predictions rollup_1h rollup_1m".split(
      " ",
    ),
  );
  for (const { name } of views) await rows(`SELECT * FROM report.${String(name)}`);
  expect(
    await rows(`SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                 WHERE n.nspname = 'report' AND obj_description(c.oid, 'pg_class') IS NULL`),
  ).toEqual([]);
});

test("machines are joined with what the office says of them; a link alone makes a machine, the box itself does not", async () => {
  const found = await rows(
    "SELECT machine_id, serial_number, link_state, link_detail, signals FROM report.machines ORDER BY machine_id",
  );
  expect(found).toEqual([
    { machine_id: 'o"dd \\ {x}%', serial_number: null, link_state: null, link_detail: null, signals: 3 },
    {
      machine_id: "redmond/mill-01",
      serial_number: "SN-1\ufffd",
      link_state: "degraded",
      link_detail: "is degraded",
      signals: 3,
    },
    { machine_id: "redmond/mill-02", serial_number: null, link_state: null, link_detail: null, signals: 3 },
    {
      machine_id: "redmond/new",
      serial_number: null,
      link_state: "connected",
      link_detail: "is connected",
      signals: 0,
    },
  ]);
  expect(await rows("SELECT factory_id, name FROM report.factories")).toEqual([
    { factory_id: "redmond", name: "redmond!" },
  ]);
});

test("the same alarm twice is one, raised twice; what a gap says is lost is not missing", async () => {
  expect(
    await rows("SELECT alarm_id, priority, state, message, occurrences FROM report.alarms WHERE source = 'log'"),
  ).toEqual([
    { alarm_id: "log/log-full", priority: "high", state: "unacknowledged", message: "fuller", occurrences: 2 },
  ]);
  expect(await rows("SELECT first_seq, events, lost, missing FROM report.ledger WHERE epoch = 'g'")).toEqual([
    { first_seq: 210, events: 1, lost: 10, missing: 10 },
  ]);
  expect(await rows("SELECT first_seq, last_seq, cause FROM model.ledger_range WHERE state = 'lost'")).toEqual([
    { first_seq: 210, last_seq: 219, cause: "shed" },
  ]);
});

test("conditions on machine and time reach the indexes of the tables", async () => {
  await bench.database.query("ANALYZE");
  for (const [view, time] of [
    ["rollup_1m", "minute_at"],
    ["rollup_1h", "hour_at"],
  ]) {
    const { rows: plan } = await bench.database.transaction(async (sql) => {
      await sql.query("SET LOCAL enable_seqscan = off");
      return sql.query<{ "QUERY PLAN": string }>(
        `EXPLAIN SELECT signal, mean FROM report.${view} WHERE machine_id = 'redmond/mill-01' AND ${time} >= '2026-05-28' AND ${time} < '2026-05-29'`,
      );
    });
    const text = plan.map((row) => row["QUERY PLAN"]).join("\n");
    const conditions = `\\(machine_id = 'redmond/mill-01'::text\\) AND \\(${time} >=`;
    // Citus goes to the one shard, and there plans by itself.
    if (text.includes("Citus")) expect(text).toMatch(/Task Count: 1\n/);
    else expect(text).toMatch(new RegExp(`Index.*Cond: \\(\\(?${conditions}`));
  }
});
