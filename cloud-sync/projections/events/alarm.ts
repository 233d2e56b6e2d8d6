import type { Sql } from "../../database/database.ts";
import type { Change, Projection } from "../projection.ts";
import { instant } from "../sql/literals.ts";
import { type EpochFact, NewestByEpoch } from "../state/newest-by-epoch.ts";
import { type AlarmFact, alarmFactOf } from "./alarm-facts.ts";
import { once, rareEventsOf } from "./rare-rows.ts";

const REPLAYED = 1_000;

/** model.alarm_event: what became of each alarm; model.alarm: its state by its newest event. */
export class Alarms implements Projection {
  readonly name = "alarm";
  readonly version = 1;
  readonly containers = ["telemetry"] as const;
  readonly gatherMs = 100;

  async apply(changes: readonly Change[], sql: Sql): Promise<void> {
    const facts = once(rareEventsOf(changes, "alarm").map(alarmFactOf), (fact) => keyOf(fact.machineId, fact.id));
    if (facts.length === 0) return;
    const { rows } = await sql.prepared<{ machine_id: string; id: string }>(
      "model_alarm_event",
      `INSERT INTO model.alarm_event (machine_id, id, alarm_id, epoch, seq, event_at, key_ms, factory_id, state, raises, data)
       SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::timestamptz[], $7::double precision[],
                            $8::text[], $9::text[], $10::boolean[], $11::jsonb[])
       ON CONFLICT (machine_id, id) DO NOTHING RETURNING machine_id, id`,
      EVENT_COLUMNS.map((column) => facts.map((fact) => fact[column])),
    );
    const isNew = new Set(rows.map(({ machine_id, id }) => keyOf(machine_id, id)));
    await addFacts(
      facts.filter(({ machineId, id }) => isNew.has(keyOf(machineId, id))),
      sql,
    );
  }

  /** What is left are the events of older times; the alarms are made of them anew. */
  async reset(sql: Sql, keepBeforeMs: number): Promise<void> {
    await sql.query("DELETE FROM model.alarm_event WHERE event_at >= $1", [new Date(keepBeforeMs)]);
    await sql.query("DELETE FROM model.alarm");
    for (let after = ["", ""]; ; ) {
      const { rows } = await sql.query<EventRow>(
        "SELECT * FROM model.alarm_event WHERE (machine_id, id) > ($1, $2) ORDER BY machine_id, id LIMIT $3",
        [...after, REPLAYED],
      );
      const last = rows.at(-1);
      if (last === undefined) return;
      after = [last.machine_id, last.id];
      await addFacts(rows.map(storedFact), sql);
    }
  }
}

const EVENT_COLUMNS = [
  "machineId",
  "id",
  "alarmId",
  "epoch",
  "seq",
  "at",
  "keyMs",
  "factoryId",
  "state",
  "raises",
  "data",
] as const;

interface EventRow {
  readonly machine_id: string;
  readonly id: string;
  readonly epoch: string;
  readonly seq: number;
  readonly event_at: Date;
  readonly key_ms: number;
  readonly factory_id: string;
  readonly data: Record<string, never>;
}

function storedFact(row: EventRow): AlarmFact {
  const { machine_id: machineId, epoch, seq, event_at, key_ms, factory_id: factoryId, data } = row;
  const event = {
    machineId,
    epoch,
    seq,
    offset: 0,
    entityId: "",
    timeMs: event_at.getTime(),
    type: "alarm",
    data,
  } as const;
  const fields = { ...event, factoryId, deviceId: "", firstSeq: seq, lastSeq: seq, events: 1, samples: 0 };
  const times = { fromMs: event.timeMs, toMs: event.timeMs, enqueuedMs: key_ms };
  return { ...alarmFactOf({ event, fields: { ...fields, ...times }, scoredBy: "edge" }), id: row.id, keyMs: key_ms };
}

type Told = Omit<AlarmFact, "machineId" | "id" | "alarmId" | "epoch" | "seq" | "at" | "keyMs">;

/** Of one alarm: its newest event, and the newest that raised it. */
class AlarmEntry {
  readonly machineId: string;
  readonly alarmId: string;
  readonly newest: NewestByEpoch<Told>;
  readonly raised: NewestByEpoch<null>;
  occurrences: number;

  constructor(machineId: string, alarmId: string, history: History = {}, occurrences = 0) {
    this.machineId = machineId;
    this.alarmId = alarmId;
    this.newest = new NewestByEpoch(history.newest);
    this.raised = new NewestByEpoch(history.raised);
    this.occurrences = occurrences;
  }

  add(fact: AlarmFact): void {
    const { machineId: _m, id: _i, alarmId: _a, epoch, seq, at: _t, keyMs, ...told } = fact;
    this.newest.add(epoch, seq, fact.atMs, keyMs, told);
    if (!fact.raises) return;
    this.raised.add(epoch, seq, fact.atMs, keyMs, null);
    this.occurrences++;
  }
}

interface History {
  readonly newest?: Record<string, EpochFact<Told>>;
  readonly raised?: Record<string, EpochFact<null>>;
}

/** @param facts each only once, ever */
async function addFacts(facts: readonly AlarmFact[], sql: Sql): Promise<void> {
  if (facts.length === 0) return;
  const keys = once(facts, (fact) => keyOf(fact.machineId, fact.alarmId));
  const { rows } = await sql.prepared<{ machine_id: string; alarm_id: string; history: History; occurrences: number }>(
    "model_alarm_read",
    `SELECT a.machine_id, a.alarm_id, a.history, a.occurrences FROM unnest($1::text[], $2::text[]) AS k (machine_id, alarm_id)
       JOIN model.alarm a ON a.machine_id = k.machine_id AND a.alarm_id = k.alarm_id`,
    [keys.map(({ machineId }) => machineId), keys.map(({ alarmId }) => alarmId)],
  );
  const entries = new Map(
    rows.map((row) => {
      const { machine_id, alarm_id, history, occurrences } = row;
      return [keyOf(machine_id, alarm_id), new AlarmEntry(machine_id, alarm_id, history, occurrences)];
    }),
  );
  for (const fact of facts) {
    const key = keyOf(fact.machineId, fact.alarmId);
    const entry = entries.get(key) ?? new AlarmEntry(fact.machineId, fact.alarmId);
    entries.set(key, entry);
    entry.add(fact);
  }
  await writeAlarms([...entries.values()], sql);
}

async function writeAlarms(entries: readonly AlarmEntry[], sql: Sql): Promise<void> {
  const alarms = entries.flatMap((entry) => {
    const newest = entry.newest.newest();
    return newest === undefined ? [] : [{ entry, newest, told: newest.value, raised: entry.raised.newest() ?? newest }];
  });
  await sql.prepared(
    "model_alarm_write",
    `INSERT INTO model.alarm (machine_id, alarm_id, factory_id, source, signal, priority, state, message, raised_at, changed_at,
                              acknowledged_by, occurrences, epoch, seq, data, history)
     SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
       $9::timestamptz[], $10::timestamptz[], $11::text[], $12::bigint[], $13::text[], $14::bigint[], $15::jsonb[], $16::jsonb[])
     ON CONFLICT (machine_id, alarm_id) DO UPDATE SET factory_id = excluded.factory_id, source = excluded.source,
       signal = excluded.signal, priority = excluded.priority, state = excluded.state, message = excluded.message,
       raised_at = excluded.raised_at, changed_at = excluded.changed_at, acknowledged_by = excluded.acknowledged_by,
       occurrences = excluded.occurrences, epoch = excluded.epoch, seq = excluded.seq, data = excluded.data,
       history = excluded.history`,
    [
      alarms.map(({ entry }) => entry.machineId),
      alarms.map(({ entry }) => entry.alarmId),
      alarms.map(({ told }) => told.factoryId),
      alarms.map(({ told }) => told.source),
      alarms.map(({ told }) => told.signal),
      alarms.map(({ told }) => told.priority),
      alarms.map(({ told }) => told.state),
      alarms.map(({ told }) => told.message),
      alarms.map(({ raised }) => instant(raised.atMs)),
      alarms.map(({ newest }) => instant(newest.atMs)),
      alarms.map(({ told }) => told.acknowledgedBy),
      alarms.map(({ entry }) => entry.occurrences),
      alarms.map(({ newest }) => newest.epoch),
      alarms.map(({ newest }) => newest.seq),
      alarms.map(({ told }) => told.data),
      alarms.map(({ entry }) => JSON.stringify({ newest: entry.newest, raised: entry.raised })),
    ],
  );
}

function keyOf(machineId: string, id: string): string {
  return JSON.stringify([machineId, id]);
}
