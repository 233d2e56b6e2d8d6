import type { Sql } from "../../database/database.ts";
import { instant } from "../sql/literals.ts";
import type { EventName } from "./find-telemetry.ts";

/** Those in memory; of more the oldest are no longer waited for. */
const WANTED_MAX = 100_000;

/** Telemetry that an event is caused by and that has not come: a backlog is sent after the alarms. */
export class WantedEvents {
  #bySeq: Map<string, Map<number, EventName>> | undefined;

  async load(sql: Sql): Promise<void> {
    if (this.#bySeq !== undefined) return;
    const { rows } = await sql.query<{ machine_id: string; epoch: string; seq: number }>(
      "SELECT machine_id, epoch, seq FROM model.entity_wanted ORDER BY wanted_at DESC LIMIT $1",
      [WANTED_MAX],
    );
    this.#bySeq = new Map();
    for (const { machine_id: machineId, epoch, seq } of rows) this.#add({ machineId, epoch, seq });
  }

  /** Those of a stream that lie in a range of seqs. */
  within(machineId: string, epoch: string, firstSeq: number, lastSeq: number): EventName[] {
    const own = this.#bySeq?.get(keyOf(machineId, epoch));
    return own === undefined ? [] : [...own.values()].filter(({ seq }) => seq >= firstSeq && seq <= lastSeq);
  }

  async want(names: readonly EventName[], atMs: number, sql: Sql): Promise<void> {
    for (const name of names) this.#add(name);
    await sql.prepared(
      "model_entity_wanted",
      `INSERT INTO model.entity_wanted (machine_id, epoch, seq, wanted_at)
       SELECT machine_id, epoch, seq, $4::timestamptz FROM unnest($1::text[], $2::text[], $3::bigint[]) AS t (machine_id, epoch, seq)
       ON CONFLICT DO NOTHING`,
      [...columnsOf(names), instant(atMs)],
    );
  }

  async came(names: readonly EventName[], sql: Sql): Promise<void> {
    for (const { machineId, epoch, seq } of names) this.#bySeq?.get(keyOf(machineId, epoch))?.delete(seq);
    await sql.prepared(
      "model_entity_came",
      `DELETE FROM model.entity_wanted w USING unnest($1::text[], $2::text[], $3::bigint[]) AS t (machine_id, epoch, seq)
        WHERE w.machine_id = t.machine_id AND w.epoch = t.epoch AND w.seq = t.seq`,
      columnsOf(names),
    );
  }

  forget(): void {
    this.#bySeq = undefined;
  }

  #add(name: EventName): void {
    const key = keyOf(name.machineId, name.epoch);
    const own = this.#bySeq?.get(key) ?? new Map<number, EventName>();
    own.set(name.seq, name);
    this.#bySeq?.set(key, own);
  }
}

function columnsOf(names: readonly EventName[]): unknown[][] {
  return [names.map(({ machineId }) => machineId), names.map(({ epoch }) => epoch), names.map(({ seq }) => seq)];
}

function keyOf(machineId: string, epoch: string): string {
  return `${epoch}\0${machineId}`;
}
