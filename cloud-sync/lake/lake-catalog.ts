import { randomUUID } from "node:crypto";
import { EdgeError } from "../../edge/kernel/errors.ts";
import type { Database, Sql } from "../database/database.ts";
import type { Container, Continuation } from "../store/event-store.ts";
import type { StagedFile } from "./batch-files.ts";
import type { LakeKind } from "./columns.ts";

/** As it stands in model.checkpoint: the store keeps documents until it has passed them. */
export const LAKE_PROJECTION = "lake";
export type LakeWorker = "writer" | "compaction";

/** A file of the lake. */
export interface LakeFile {
  readonly path: string;
  readonly kind: LakeKind;
  readonly factoryId: string;
  /** UTC day, days since 1970; null: rows of no day. */
  readonly day: number | null;
  readonly rows: number;
  readonly bytes: number;
  readonly minMs: number | null;
  readonly maxMs: number | null;
}

/** A checkpoint that moves. */
export interface Move {
  readonly container: Container;
  readonly range: string;
  readonly from: Continuation | undefined;
  readonly to: Continuation | undefined;
  readonly documents: number;
}

const FILE_COLUMNS = 'path, kind, factory_id AS "factoryId", day, rows, bytes, min_ms AS "minMs", max_ms AS "maxMs"';

/** What the database knows of the lake: which files are in it, which are on their way, where its checkpoints stand. */
export class LakeCatalog {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** Continuations by container and range; makes a checkpoint for each range that has none. */
  async checkpoints(container: Container, ranges: readonly string[]): Promise<Map<string, Continuation | undefined>> {
    await this.#database.query(
      "INSERT INTO model.checkpoint (projection, container, feed_range) SELECT $1, $2, r FROM unnest($3::text[]) AS r ON CONFLICT DO NOTHING",
      [LAKE_PROJECTION, container, ranges],
    );
    const { rows } = await this.#database.query<{ range: string; continuation: string | null }>(
      'SELECT feed_range AS "range", continuation FROM model.checkpoint WHERE projection = $1 AND container = $2',
      [LAKE_PROJECTION, container],
    );
    return new Map(rows.map(({ range, continuation }) => [range, continuation ?? undefined]));
  }

  /** Of this database's lake, made when it has none. */
  async identity(): Promise<string> {
    const known = await this.#identity();
    if (known !== undefined) return known;
    await this.#database.query(
      "INSERT INTO app.lake_identity (one, id) VALUES (true, $1) ON CONFLICT (one) DO NOTHING",
      [randomUUID()],
    );
    return (await this.#identity()) ?? "";
  }

  async #identity(): Promise<string | undefined> {
    const { rows } = await this.#database.query<{ id: string }>("SELECT id FROM app.lake_identity");
    return rows[0]?.id;
  }

  async begin(id: string, worker: LakeWorker, paths: readonly string[]): Promise<void> {
    await this.#database.query("INSERT INTO app.lake_intent (id, worker, paths) VALUES ($1, $2, $3)", [
      id,
      worker,
      paths,
    ]);
  }

  /** What a worker had begun and did not commit. */
  async unfinished(worker: LakeWorker): Promise<{ readonly id: string; readonly paths: readonly string[] }[]> {
    const { rows } = await this.#database.query<{ id: string; paths: string[] }>(
      "SELECT id, paths FROM app.lake_intent WHERE worker = $1 ORDER BY id",
      [worker],
    );
    return rows;
  }

  /** Once its files are removed. */
  async giveUp(id: string): Promise<void> {
    await this.#database.query("DELETE FROM app.lake_intent WHERE id = $1", [id]);
  }

  /**
   * Files and checkpoints, together or not at all.
   * @param id of the intent; undefined when there are no files
   * @throws EdgeError LAKE_UNAVAILABLE when another worker has moved a checkpoint or given the intent up in between
   */
  async commit(id: string | undefined, files: readonly StagedFile[], moves: readonly Move[]): Promise<void> {
    await this.#database.transaction(async (sql) => {
      for (const move of moves) await moveCheckpoint(sql, move);
      await endIntent(sql, id);
      await addFiles(sql, files);
    });
  }

  /** Files that replace others, together or not at all. @throws as commit */
  async replace(id: string, files: readonly StagedFile[], replaced: readonly string[]): Promise<void> {
    await this.#database.transaction(async (sql) => {
      await endIntent(sql, id);
      const { rowCount } = await sql.query(
        "UPDATE app.lake_file SET replaced_at = now() WHERE path = ANY($1::text[]) AND replaced_at IS NULL",
        [replaced],
      );
      if (rowCount !== replaced.length) throw overtaken("files that are being merged");
      await addFiles(sql, files);
    });
  }

  /** Files in the lake, by path. */
  async files(sql: Sql = this.#database): Promise<LakeFile[]> {
    const { rows } = await sql.query<LakeFile>(
      `SELECT ${FILE_COLUMNS} FROM app.lake_file WHERE replaced_at IS NULL ORDER BY path`,
    );
    return rows;
  }

  /** Files whose rows are in others for so long. */
  async replaced(graceMs: number): Promise<string[]> {
    const { rows } = await this.#database.query<{ path: string }>(
      "SELECT path FROM app.lake_file WHERE replaced_at <= now() - make_interval(secs => $1) ORDER BY path",
      [graceMs / 1_000],
    );
    return rows.map(({ path }) => path);
  }

  async forgetReplaced(paths: readonly string[]): Promise<void> {
    await this.#database.query("DELETE FROM app.lake_file WHERE path = ANY($1::text[]) AND replaced_at IS NOT NULL", [
      paths,
    ]);
  }

  /** Does something with all files while nobody else does: so that what is written of them last is the newest. */
  async withFiles(work: (files: readonly LakeFile[]) => Promise<void>): Promise<void> {
    await this.#database.transaction(async (sql) => {
      await sql.query("SELECT pg_advisory_xact_lock($1, $2)", [LOCK_CLASS, LOCKS.manifest]);
      await work(await this.files(sql));
    });
  }
}

/** Of advisory locks: "TLLK". */
export const LOCK_CLASS = 0x544c_4c4b;
export const LOCKS = { writer: 1, compaction: 2, manifest: 3 } as const;

async function moveCheckpoint(sql: Sql, { container, range, from, to, documents }: Move): Promise<void> {
  const { rowCount } = await sql.query(
    `UPDATE model.checkpoint SET continuation = $5, documents = documents + $6, moved_at = now()
      WHERE projection = $1 AND container = $2 AND feed_range = $3 AND continuation IS NOT DISTINCT FROM $4`,
    [LAKE_PROJECTION, container, range, from ?? null, to ?? null, documents],
  );
  if (rowCount !== 1) throw overtaken(`the checkpoint of ${container} ${range}`);
}

async function endIntent(sql: Sql, id: string | undefined): Promise<void> {
  if (id === undefined) return;
  const { rowCount } = await sql.query("DELETE FROM app.lake_intent WHERE id = $1", [id]);
  if (rowCount !== 1) throw overtaken("a batch");
}

async function addFiles(sql: Sql, files: readonly StagedFile[]): Promise<void> {
  if (files.length === 0) return;
  await sql.query(
    `INSERT INTO app.lake_file (path, kind, factory_id, day, rows, bytes, min_ms, max_ms)
     SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::int[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[])`,
    [
      files.map(({ path }) => path),
      files.map(({ kind }) => kind),
      files.map(({ factoryId }) => factoryId),
      files.map(({ day }) => day ?? null),
      files.map(({ rows }) => rows),
      files.map(({ bytes }) => bytes),
      files.map(({ minMs }) => minMs ?? null),
      files.map(({ maxMs }) => maxMs ?? null),
    ],
  );
}

function overtaken(what: string): EdgeError {
  return new EdgeError("LAKE_UNAVAILABLE", `another process has taken ${what} of the lake over`, {
    hint: "Nothing is lost: that process goes on. Look whether two cloud sides write to one lake.",
  });
}
