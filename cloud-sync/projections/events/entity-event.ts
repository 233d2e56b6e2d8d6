import type { Clock } from "../../../edge/kernel/clock.ts";
import type { Database, Sql } from "../../database/database.ts";
import type { EventStore } from "../../store/event-store.ts";
import { type DocumentFields, FOREIGN_EPOCH_PREFIX } from "../../store/telemetry-document.ts";
import type { Change, Projection } from "../projection.ts";
import { instant, jsonLiteral, plainText } from "../sql/literals.ts";
import { eventDataOf, eventWordOf } from "./event-words.ts";
import { causeOf, type EventName, eventIn, findTelemetry } from "./find-telemetry.ts";
import { type FeedEvent, idOf, once, rareEventsOf } from "./rare-rows.ts";
import { WantedEvents } from "./wanted-events.ts";

const ROWS_MAX = 1_000;
/** Looked up in the store at once. */
const LOOKS = 8;
const WANTED_MS = 30 * 86_400_000;

/**
 * model.entity_event: entities with state. Every event that is not telemetry; of telemetry what devices of another make sent, and what
 * such an event names as its cause: it is fetched from the store, or waited for when it is still on its way.
 */
export class EntityEvents implements Projection {
  readonly name = "entity_event";
  readonly version = 1;
  readonly containers = ["telemetry", "scored_telemetry"] as const;
  readonly gatherMs = 150;
  readonly #store: EventStore;
  readonly #clock: Clock;
  readonly #wanted = new WantedEvents();

  constructor(store: EventStore, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  async apply(changes: readonly Change[], sql: Sql): Promise<void> {
    await this.#wanted.load(sql);
    const rare = rareEventsOf(changes);
    const events = [...rare, ...foreignOf(changes), ...(await this.#awaited(changes, sql))];
    events.push(...(await this.#causes(rare, sql)));
    const rows = once(events.map(rowOf), ({ machineId, id }) => JSON.stringify([machineId, id]));
    for (let from = 0; from < rows.length; from += ROWS_MAX) await insert(rows.slice(from, from + ROWS_MAX), sql);
  }

  /** Telemetry that was waited for. */
  async #awaited(changes: readonly Change[], sql: Sql): Promise<FeedEvent[]> {
    const found: FeedEvent[] = [];
    const came: EventName[] = [];
    for (const { telemetry } of changes) {
      if (telemetry === undefined || telemetry.kind === "rollup") continue;
      const { machineId, epoch, firstSeq, lastSeq } = telemetry.fields;
      for (const name of this.#wanted.within(machineId, epoch, firstSeq, lastSeq)) {
        const event = eventIn(telemetry, name);
        if (event === undefined) continue;
        came.push(name);
        if (event.type === "telemetry") found.push({ event, fields: telemetry.fields, scoredBy: "edge" });
      }
    }
    if (came.length > 0) await this.#wanted.came(came, sql);
    return found;
  }

  /** Telemetry that these events are caused by, as far as it is here. */
  async #causes(rare: readonly FeedEvent[], sql: Sql): Promise<FeedEvent[]> {
    const causes = rare.flatMap(({ event }) => causeOf(event) ?? []).filter(isStorable);
    const names = await unknownOf(
      once(causes, (name) => JSON.stringify(name)),
      sql,
    );
    const found: FeedEvent[] = [];
    const missing: EventName[] = [];
    // Cut off with the process; the transaction around it has its own end.
    const { signal } = new AbortController();
    for (let from = 0; from < names.length; from += LOOKS) {
      await Promise.all(
        names.slice(from, from + LOOKS).map(async (name) => {
          const there = await findTelemetry(this.#store, name, signal);
          if (there === undefined) missing.push(name);
          else if (there.event.type === "telemetry")
            found.push({ event: there.event, fields: there.document.fields, scoredBy: "edge" });
        }),
      );
    }
    if (missing.length > 0) await this.#wanted.want(missing, this.#clock.nowMs(), sql);
    return found;
  }

  async reset(sql: Sql, keepBeforeMs: number): Promise<void> {
    this.forget();
    await sql.query("DELETE FROM model.entity_event WHERE event_at >= $1", [new Date(keepBeforeMs)]);
    await sql.query("DELETE FROM model.entity_wanted");
  }

  forget(): void {
    this.#wanted.forget();
  }

  async maintain(database: Database, nowMs: number): Promise<void> {
    await database.query("DELETE FROM model.entity_wanted WHERE wanted_at < $1", [new Date(nowMs - WANTED_MS)]);
  }
}

function isStorable({ epoch }: EventName): boolean {
  return plainText(epoch) === epoch;
}

/** Those that have no row yet; several events may have one cause. */
async function unknownOf(names: readonly EventName[], sql: Sql): Promise<EventName[]> {
  if (names.length === 0) return [];
  const { rows } = await sql.prepared<{ machine_id: string; id: string }>(
    "model_entity_event_known",
    `SELECT e.machine_id, e.id FROM unnest($1::text[], $2::text[]) AS k (machine_id, id)
       JOIN model.entity_event e ON e.machine_id = k.machine_id AND e.id = k.id`,
    [names.map(({ machineId }) => machineId), names.map(idOf)],
  );
  const known = new Set(rows.map(({ machine_id, id }) => JSON.stringify([machine_id, id])));
  return names.filter((name) => !known.has(JSON.stringify([name.machineId, idOf(name)])));
}

function foreignOf(changes: readonly Change[]): FeedEvent[] {
  return changes.flatMap(({ telemetry }) => {
    if (telemetry === undefined || !telemetry.fields.epoch.startsWith(FOREIGN_EPOCH_PREFIX)) return [];
    const telling = telemetry.events().filter(({ type }) => type === "telemetry");
    return telling.map((event) => ({ event, fields: telemetry.fields, scoredBy: "edge" as const }));
  });
}

type Row = ReturnType<typeof rowOf>;

function rowOf({ event, fields }: { event: FeedEvent["event"]; fields: DocumentFields }) {
  return {
    machineId: event.machineId,
    id: idOf(event),
    factoryId: plainText(fields.factoryId),
    entityId: plainText(event.entityId),
    word: eventWordOf(event),
    data: jsonLiteral(eventDataOf(event)),
    at: instant(event.timeMs),
    epoch: plainText(event.epoch),
    seq: event.seq,
    causedBy: event.causedBy === undefined ? null : plainText(event.causedBy),
  };
}

async function insert(rows: readonly Row[], sql: Sql): Promise<void> {
  await sql.prepared(
    "model_entity_event",
    `INSERT INTO model.entity_event (machine_id, id, factory_id, entity_type, entity_id, event_type, event_data, event_at, epoch, seq,
                                     caused_by)
     SELECT machine_id, id, factory_id, 'MachineTelemetry', entity_id, event_type, event_data, event_at, epoch, seq, caused_by
       FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::jsonb[], $7::timestamptz[], $8::text[],
                   $9::bigint[], $10::text[])
            AS t (machine_id, id, factory_id, entity_id, event_type, event_data, event_at, epoch, seq, caused_by)
     ON CONFLICT (machine_id, id) DO NOTHING`,
    [
      rows.map(({ machineId }) => machineId),
      rows.map(({ id }) => id),
      rows.map(({ factoryId }) => factoryId),
      rows.map(({ entityId }) => entityId),
      rows.map(({ word }) => word),
      rows.map(({ data }) => data),
      rows.map(({ at }) => at),
      rows.map(({ epoch }) => epoch),
      rows.map(({ seq }) => seq),
      rows.map(({ causedBy }) => causedBy),
    ],
  );
}
