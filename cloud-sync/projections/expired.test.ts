import pino from "pino";
import { expect, test } from "vitest";
import { systemClock } from "../../edge/kernel/clock.ts";
import { machineStream } from "../../test/support/machine-streams.ts";
import { dumpModels } from "../../test/support/projected-dump.ts";
import { blockOf, feedBench, ORIGIN } from "../../test/support/projected-feed.ts";
import type { StoredEvent } from "../contract/event.ts";
import { PROJECTION_NAMES } from "./all-projections.ts";
import { rebuildProjection } from "./rebuild.ts";

const DAY_MS = 86_400_000;

// What was said once, long ago: documents of it are gone, what was made of them is not, and what is still there comes again.
test("what expired documents have made stays, and what is left comes again", { timeout: 30_000 }, async () => {
  let nowMs = Date.UTC(2026, 4, 20, 12);
  await using bench = await feedBench({ ...systemClock, nowMs: () => nowMs });
  const { database, store, clock } = bench;
  const { signal } = new AbortController();
  const firstMs = nowMs;
  const identity = (seq: number) => ({
    epoch: "e",
    machineId: "m",
    seq,
    offset: seq,
    entityId: `x${seq}`,
    timeMs: nowMs,
  });
  const model = { name: "m", version: "1.0.0" };
  const signals = [{ name: "signal 0", title: "Speed", unit: "rpm", key: true, type: null, intervalMs: 1_000 }];
  const rare = (seq: number): StoredEvent[] =>
    [
      { ...identity(seq), type: "config", data: { kind: "machine", typeName: "mill", connectionId: "c", signals } },
      {
        ...identity(seq + 1),
        type: "alarm",
        data: { source: "log", what: "hot", severity: "high", message: `${seq}` },
      },
      { ...identity(seq + 2), type: "prediction", data: { requirement: "oil", message: "", model } },
      {
        ...identity(seq + 3),
        type: "anomaly",
        causedBy: `e/m/${seq - 1}`,
        data: { kind: "spike", signal: "signal 0", model },
      },
    ] as StoredEvent[];
  const put = async (seq: number, signalCount: number): Promise<void> => {
    const stream = machineStream("m", 3, { firstSeq: seq, epoch: "e", signals: signalCount, startMs: nowMs - 5_000 });
    await bench.put([blockOf(stream, undefined, { ...ORIGIN, enqueuedMs: nowMs })]);
  };
  await put(1, 3);
  await bench.put([blockOf(rare(4), undefined, { ...ORIGIN, enqueuedMs: nowMs })]);
  const loops = bench.loops();
  await bench.project(loops);
  nowMs += 20 * DAY_MS;
  await put(8, 1);
  await bench.put([blockOf(rare(12).slice(1), undefined, { ...ORIGIN, enqueuedMs: nowMs })]);
  await bench.project(loops);
  nowMs += 15 * DAY_MS;
  await store.ensure(signal);
  // Drops the minutes that are over.
  await bench.project(bench.loops(["rollups"]));
  const about = "SELECT type_name, signal_info, seqs, seq FROM model.machine_latest";
  const before = [await dumpModels(database), (await database.query(about)).rows];
  for (const name of PROJECTION_NAMES)
    await rebuildProjection(name, { database, store, clock, signal, logger: pino({ level: "silent" }) });
  const after = [await dumpModels(database), (await database.query(about)).rows];
  expect(after).toEqual(before);
  expect(after[1]).toEqual([{ type_name: "mill", signal_info: signals, seqs: ["10", "3", "3"], seq: 10 }]);
  const { rows } = await database.query("SELECT occurrences, raised_at, message FROM model.alarm");
  expect(rows).toEqual([{ occurrences: 2, raised_at: new Date(firstMs + 20 * DAY_MS), message: "12" }]);
  expect((await database.query("SELECT count(*)::int AS n FROM store.telemetry")).rows).toEqual([{ n: 2 }]);
});
