import type { Sql } from "../database/database.ts";
import type { ScoringModels } from "./scoring-models.ts";
import { type SavedStream, StreamState } from "./stream-state.ts";

/** Streams in memory; the others are read from the database when they are needed. */
const STREAMS_MAX = 4_096;
/** Rows of one statement; a machine of a hundred scored signals takes 100 KB. */
const ROWS_MAX = 64;
/** What has said nothing for longer than telemetry is kept is forgotten. */
const KEPT_DAYS = 40;

export interface StreamKey {
  readonly machineId: string;
  readonly epoch: string;
}

interface Row {
  readonly machine_id: string;
  readonly epoch: string;
  readonly facts: string;
  readonly detectors: Buffer;
  readonly late: Buffer | null;
}

/** The states of all streams: the most recently used in memory, all of them in the database as of the last checkpoint. */
export class StreamStates {
  readonly #models: ScoringModels;
  readonly #streamsMax: number;
  /** By use, the newest last. */
  readonly #states = new Map<string, { readonly key: StreamKey; readonly state: StreamState }>();

  constructor(models: ScoringModels, streamsMax = STREAMS_MAX) {
    this.#models = models;
    this.#streamsMax = streamsMax;
  }

  get size(): number {
    return this.#states.size;
  }

  /** Whether there are more than may stay: time for a checkpoint, after which those that were not used lately go. */
  get isFull(): boolean {
    return this.#states.size > this.#streamsMax;
  }

  /** Brings those of the streams that are not here from the database. @throws EdgeError DATABASE_UNAVAILABLE */
  async load(sql: Sql, keys: readonly StreamKey[]): Promise<void> {
    const missing = new Map(keys.map((key) => [nameOf(key), key]));
    for (const name of this.#states.keys()) missing.delete(name);
    const wanted = [...missing.values()];
    for (let from = 0; from < wanted.length; from += ROWS_MAX) {
      const part = wanted.slice(from, from + ROWS_MAX);
      const { rows } = await sql.prepared<Row & Record<string, unknown>>(
        "scoring_stream_read",
        `SELECT machine_id, epoch, facts, detectors, late FROM app.scoring_stream
          WHERE machine_id = ANY ($1::text[]) AND epoch = ANY ($2::text[])`,
        [[...new Set(part.map(({ machineId }) => machineId))], [...new Set(part.map(({ epoch }) => epoch))]],
      );
      const saved = new Map(rows.map((row) => [nameOf({ machineId: row.machine_id, epoch: row.epoch }), row]));
      for (const key of part) {
        const name = nameOf(key);
        const row: SavedStream | undefined = saved.get(name);
        this.#states.set(name, { key, state: new StreamState(this.#models, row) });
      }
    }
  }

  /** A stream that was loaded. */
  get(key: StreamKey): StreamState {
    const name = nameOf(key);
    const found = this.#states.get(name) ?? { key, state: new StreamState(this.#models) };
    this.#states.delete(name);
    this.#states.set(name, found);
    return found.state;
  }

  /** Writes those that have changed, within the caller's transaction. */
  async save(sql: Sql): Promise<void> {
    const dirty = [...this.#states.values()].filter(({ state }) => state.isDirty);
    for (let from = 0; from < dirty.length; from += ROWS_MAX) {
      const part = dirty.slice(from, from + ROWS_MAX).map(({ key, state }) => ({ ...key, ...state.save() }));
      await sql.prepared(
        "scoring_stream_write",
        `INSERT INTO app.scoring_stream (machine_id, epoch, facts, detectors, late, moved_at)
         SELECT machine_id, epoch, facts, detectors, late, now()
           FROM unnest($1::text[], $2::text[], $3::text[], $4::bytea[], $5::bytea[])
                AS t (machine_id, epoch, facts, detectors, late)
         ON CONFLICT (machine_id, epoch) DO UPDATE
            SET facts = excluded.facts, detectors = excluded.detectors, late = excluded.late, moved_at = excluded.moved_at`,
        [
          part.map(({ machineId }) => machineId),
          part.map(({ epoch }) => epoch),
          part.map(({ facts }) => facts),
          part.map(({ detectors }) => Buffer.from(detectors)),
          part.map(({ late }) => (late === null ? null : Buffer.from(late))),
        ],
      );
    }
  }

  /** After the transaction of `save` has been committed. */
  saved(): void {
    for (const { state } of this.#states.values()) state.isDirty = false;
    for (const name of this.#states.keys()) {
      if (this.#states.size <= this.#streamsMax) break;
      this.#states.delete(name);
    }
  }

  /** Forgets what is in memory. */
  forget(): void {
    this.#states.clear();
  }

  static async forgetOld(sql: Sql): Promise<void> {
    await sql.query("DELETE FROM app.scoring_stream WHERE moved_at < now() - make_interval(days => $1)", [KEPT_DAYS]);
  }
}

function nameOf({ machineId, epoch }: StreamKey): string {
  return JSON.stringify([machineId, epoch]);
}
