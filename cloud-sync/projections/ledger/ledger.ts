import type { Sql } from "../../database/database.ts";
import { SCORE_EPOCH_PREFIX } from "../../store/telemetry-document.ts";
import type { Change, Projection } from "../projection.ts";
import { BoundedMap } from "../state/bounded-map.ts";
import { readStreams, writeStreams } from "./ledger-rows.ts";
import { StreamLedger } from "./stream-ledger.ts";

/** Ranges of all streams in memory. */
const RANGES_MAX = 2_000_000;

/**
 * model.ledger_range and ledger_stream: what became of every event of every stream.
 *
 * Made anew, a stream all of whose events are younger than the store's time to live begins with nothing. What the ledger says of an older
 * one stays and is added to: nobody can tell a range whose documents have expired from one that never was.
 */
export class Ledger implements Projection {
  readonly name = "ledger";
  readonly version = 1;
  readonly containers = ["telemetry"] as const;
  readonly batchMax = 2_000;
  readonly gatherMs = 1_000;
  readonly #streams = new BoundedMap<string, StreamLedger>(RANGES_MAX);

  async apply(changes: readonly Change[], sql: Sql): Promise<void> {
    const documents = changes.flatMap(({ telemetry }) =>
      telemetry === undefined || telemetry.fields.epoch.startsWith(SCORE_EPOCH_PREFIX) ? [] : [telemetry],
    );
    if (documents.length === 0) return;
    const touched = new Map<string, StreamLedger>();
    const missing = new Map<string, StreamLedger>();
    for (const { fields } of documents) {
      const key = keyOf(fields.machineId, fields.epoch);
      const known = this.#streams.get(key);
      if (known !== undefined) touched.set(key, known);
      else missing.set(key, new StreamLedger(fields.machineId, fields.epoch));
    }
    const read = missing.size === 0 ? [] : await readStreams([...missing.values()], sql);
    for (const [key, stream] of missing) touched.set(key, stream);
    for (const stream of read) touched.set(keyOf(stream.machineId, stream.epoch), stream);
    for (const document of documents)
      touched.get(keyOf(document.fields.machineId, document.fields.epoch))?.add(document);
    await writeStreams([...touched.values()], sql);
    for (const [key, stream] of touched) this.#streams.set(key, stream, stream.weight);
  }

  async reset(sql: Sql, keepBeforeMs: number): Promise<void> {
    this.forget();
    const before = new Date(keepBeforeMs);
    await sql.query(
      `DELETE FROM model.ledger_range r USING model.ledger_stream s
        WHERE r.machine_id = s.machine_id AND r.epoch = s.epoch AND s.first_at >= $1`,
      [before],
    );
    await sql.query("DELETE FROM model.ledger_stream WHERE first_at >= $1", [before]);
    await sql.query("UPDATE model.ledger_stream SET kept_seq = last_seq WHERE NOT numbered");
  }

  forget(): void {
    this.#streams.clear();
  }
}

function keyOf(machineId: string, epoch: string): string {
  return `${epoch}\0${machineId}`;
}
