import type { Database, Sql } from "../../../database/database.ts";
import type { StoredDocument } from "../../event-store.ts";
import type { DocumentFields } from "../../telemetry-document.ts";
import { lockBuckets } from "../commit-work.ts";
import { keyArrays } from "../document-keys.ts";
import { documentOf, type StoredRow } from "../stored-row.ts";
import { deleteStatement } from "../tables.ts";
import { byteaArray, int8Array, textArray } from "../wire-arrays.ts";
import type { Merge } from "./merge-blocks.ts";
import type { Candidate } from "./plan-runs.ts";
import { holdReaders, passedByAll, readersOf } from "./readers.ts";

/** Of the containers only this one has blocks. */
export const PACKED = "telemetry";

const KEYS =
  "unnest($1::text[], $2::text[], $3::text[], $4::date[]) WITH ORDINALITY AS k (stream, part, id, stored_on, n)";
const IS_KEY = "t.stream = k.stream AND t.part = k.part AND t.id = k.id AND t.stored_on = k.stored_on";
const CANDIDATES = `SELECT stream, part, id, stored_on::text AS stored_on, stored_ms, position, fields, octet_length(body) AS bytes
    FROM store.telemetry WHERE bucket = $1 AND position > $2 AND position <= $3 AND in_feed AND kind = 'block'
   ORDER BY position LIMIT $4`;
const BODIES = `SELECT k.n, t.stream, t.part, t.id, t.kind, t.position, t.stored_ms, t.in_feed, false AS never, t.fields, t.body
    FROM ${KEYS} JOIN store.telemetry t ON ${IS_KEY}`;
const POSITIONS = `SELECT k.n, t.position FROM ${KEYS} JOIN store.telemetry t ON ${IS_KEY}`;
const REPLACE = `UPDATE store.telemetry t SET position = k.position, stored_ms = k.stored_ms, fields = k.fields, body = k.body
    FROM unnest($1::text[], $2::text[], $3::text[], $4::date[], $5::int8[], $6::int8[], $7::text[], $8::bytea[])
         AS k (stream, part, id, stored_on, position, stored_ms, fields, body)
   WHERE ${IS_KEY}`;

export interface PlacedMerge extends Merge {
  readonly storedOn: string;
}

/** One range of the feed, as the repacker sees it. */
export class PackedBucket {
  readonly range: string;
  readonly #database: Database;

  constructor(database: Database, range: string) {
    this.#database = database;
    this.range = range;
  }

  async doneTo(): Promise<number> {
    const { rows } = await this.#database.query<{ position: number }>(
      "SELECT position FROM store.repack WHERE container = $1 AND bucket = $2",
      [PACKED, Number(this.range)],
    );
    return rows[0]?.position ?? 0;
  }

  async writeDoneTo(position: number): Promise<void> {
    await this.#database.query(
      `INSERT INTO store.repack (container, bucket, position) VALUES ($1, $2, $3)
       ON CONFLICT (container, bucket) DO UPDATE SET position = excluded.position`,
      [PACKED, Number(this.range), position],
    );
  }

  /** Documents with blocks behind a position that all readers have passed, ascending in position. */
  async candidates(after: number, limit: number): Promise<Candidate[]> {
    const passed = Math.min(await passedByAll(this.#database, PACKED, this.range), Number.MAX_SAFE_INTEGER);
    if (passed <= after) return [];
    const { rows } = await this.#database.query<StoredRow & { stored_on: string; bytes: number }>(CANDIDATES, [
      Number(this.range),
      after,
      passed,
      limit,
    ]);
    return rows.map(({ stream, part, id, stored_on, stored_ms, position, fields, bytes }) => ({
      ...{ stream, part, id, position, bytes, storedOn: stored_on, storedMs: stored_ms },
      fields: JSON.parse(fields) as DocumentFields,
    }));
  }

  /** Names of the readers that have not passed a block of before `beforeMs`. */
  async heldBy(beforeMs: number): Promise<string[]> {
    const readers = await readersOf(this.#database, PACKED, this.range);
    const least = Math.min(...readers.map(({ position }) => position));
    if (!Number.isFinite(least)) return [];
    const { rows } = await this.#database.query<{ position: number }>(
      `SELECT position FROM store.telemetry WHERE bucket = $1 AND position > $2 AND stored_ms < $3 AND in_feed AND kind = 'block'
        ORDER BY position LIMIT 1`,
      [Number(this.range), least, beforeMs],
    );
    const held = rows[0]?.position ?? 0;
    return readers.filter(({ position }) => position < held).map(({ name }) => name);
  }

  /** In their order; fewer when some were altered or removed in between. */
  async read(run: readonly Candidate[]): Promise<StoredDocument[]> {
    const { rows } = await this.#database.prepared<StoredRow & { n: number }>(
      "store_repack_bodies",
      BODIES,
      keysOf(run),
    );
    return rows
      .toSorted((a, b) => a.n - b.n)
      .filter(({ n, position }) => run[n - 1]?.position === position)
      .map((row) => documentOf(PACKED, row));
  }

  /**
   * Puts the merged documents at the position of the last that each takes the place of, so that for a reader at either side nothing has
   * changed. What is not as it was, or not passed by all readers any more, is left alone.
   * @returns those that were done
   */
  async replace(merges: readonly PlacedMerge[]): Promise<readonly PlacedMerge[]> {
    return this.#database.transaction(async (sql) => {
      await holdReaders(sql);
      await lockBuckets(
        sql,
        PACKED,
        merges.map(({ sources }) => sources[0]?.partition.stream ?? ""),
      );
      const passed = await passedByAll(sql, PACKED, this.range);
      const valid = await unchanged(
        sql,
        merges.filter(({ sources }) => lastPosition(sources) <= passed),
      );
      if (valid.length === 0) return [];
      const leaving = valid.flatMap(({ sources, storedOn }) => placedKeys(sources.slice(1), storedOn));
      await sql.prepared("store_delete_telemetry", deleteStatement(PACKED), keysOf(leaving));
      const kept = valid.flatMap(({ sources, storedOn }) => placedKeys(sources.slice(0, 1), storedOn));
      await sql.prepared("store_repack_replace", REPLACE, [
        ...keysOf(kept),
        int8Array(valid.map(({ sources }) => lastPosition(sources))),
        int8Array(valid.map(({ sources }) => Math.max(...sources.map(({ storedMs }) => storedMs)))),
        textArray(valid.map(({ document }) => JSON.stringify(document.fields))),
        byteaArray(valid.map(({ document }) => document.body)),
      ]);
      return valid;
    });
  }
}

type PlacedKey = Pick<Candidate, "stream" | "part" | "id" | "storedOn">;

function placedKeys(documents: readonly StoredDocument[], storedOn: string): PlacedKey[] {
  return documents.map(({ partition: { stream, part }, id }) => ({ stream, part, id, storedOn }));
}

function keysOf(keys: readonly PlacedKey[]): unknown[] {
  return [
    ...keyArrays(keys.map(({ stream, part, id }) => ({ partition: { stream, part }, id }))),
    keys.map(({ storedOn }) => storedOn),
  ];
}

function lastPosition(sources: readonly StoredDocument[]): number {
  return Math.max(...sources.map(({ etag }) => Number(etag)));
}

async function unchanged(sql: Sql, merges: readonly PlacedMerge[]): Promise<PlacedMerge[]> {
  const keys = merges.flatMap(({ sources, storedOn }) => placedKeys(sources, storedOn));
  const { rows } = await sql.prepared<{ n: number; position: number }>(
    "store_repack_positions",
    POSITIONS,
    keysOf(keys),
  );
  const positions = new Map(rows.map(({ n, position }) => [n - 1, String(position)]));
  let at = 0;
  return merges.filter(({ sources }) => {
    const first = at;
    at += sources.length;
    return sources.every(({ etag }, i) => positions.get(first + i) === etag);
  });
}
