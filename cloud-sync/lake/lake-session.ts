import type { DuckDBConnection } from "@duckdb/node-api";
import { EdgeError } from "../../edge/kernel/errors.ts";
import { LAKE_COLUMNS, LAKE_KINDS, type LakeKind } from "./columns.ts";
import { DuckDb, type DuckDbLimits } from "./duck-db.ts";
import type { LakeFile } from "./lake-catalog.ts";
import { readManifest } from "./manifest.ts";
import type { ColumnType } from "./parquet/column.ts";
import { DAY_MS } from "./partition.ts";
import type { LakeFiles, LocalFiles } from "./place/lake-files.ts";

/** Which files are looked at: of these kinds, one factory, one day, with rows of from..to (UTC epoch ms, the end excluded). */
export interface FileScope {
  readonly kinds: readonly LakeKind[];
  readonly factory?: string | undefined;
  /** Days since 1970; null: files of no day. */
  readonly day?: number | null | undefined;
  readonly fromMs?: number | undefined;
  readonly toMs?: number | undefined;
}

/** A file that a merge has replaced goes away while it is asked for: then the manifest is read again. */
const ATTEMPTS_MAX = 3;

const SQL_TYPE: Readonly<Record<ColumnType, string>> = {
  text: "VARCHAR",
  double: "DOUBLE",
  integer: "BIGINT",
  time: "TIMESTAMP",
  "time-us": "TIMESTAMP",
};

/**
 * A DuckDB of one's own with the views readings, events and rollups over the files of a scope as they are now, and nothing else that could
 * be read: no other file, no extension, no network, no setting that could be changed.
 */
export class LakeSession implements AsyncDisposable {
  readonly files: readonly LakeFile[];
  readonly #duckDb: DuckDb;
  readonly #local: LocalFiles;

  private constructor(duckDb: DuckDb, files: readonly LakeFile[], local: LocalFiles) {
    this.#duckDb = duckDb;
    this.files = files;
    this.#local = local;
  }

  /** @throws EdgeError LAKE_UNAVAILABLE, LAKE_QUERY when the files are more than may be brought here */
  static async open(
    place: LakeFiles,
    scope: FileScope,
    limits: DuckDbLimits,
    signal: AbortSignal,
  ): Promise<LakeSession> {
    const { files, local } = await localFiles(place, scope, signal);
    try {
      const duckDb = await DuckDb.open(limits);
      const session = new LakeSession(duckDb, files, local);
      for (const kind of LAKE_KINDS) await duckDb.connection.run(session.#view(kind));
      await session.#lock();
      return session;
    } catch (error) {
      local.done();
      throw error;
    }
  }

  get connection(): DuckDBConnection {
    return this.#duckDb.connection;
  }

  #view(kind: LakeKind): string {
    const paths = this.files.flatMap((file, i) => (file.kind === kind ? [this.#local.paths[i] as string] : []));
    const columns = LAKE_COLUMNS[kind].map(({ name, type }) => ({ name, type: SQL_TYPE[type] }));
    if (paths.length === 0) {
      const none = [{ name: "factory", type: "VARCHAR" }, { name: "date", type: "DATE" }, ...columns];
      return `CREATE VIEW ${kind} AS SELECT ${none.map(({ name, type }) => `NULL::${type} AS ${name}`).join(", ")} WHERE false`;
    }
    const names = ["factory", "date", ...columns.map(({ name }) => name)].join(", ");
    // The same roll-up may come twice, its names having become more.
    return `CREATE VIEW ${kind} AS SELECT ${kind === "rollups" ? "DISTINCT " : ""}${names} FROM read_parquet([${paths.map(sqlText).join(", ")}],
      hive_partitioning = true, hive_types = {'factory': VARCHAR, 'date': DATE})`;
  }

  /** From here on this connection reads the files of the scope, and nothing of it can be changed. */
  async #lock(): Promise<void> {
    const paths = this.#local.paths.map((path) => sqlText(path as string)).join(", ");
    await this.connection.run(`SET allowed_paths = [${paths}]`);
    await this.connection.run("SET enable_external_access = false");
    await this.connection.run("SET lock_configuration = true");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#duckDb[Symbol.asyncDispose]();
    this.#local.done();
  }
}

async function localFiles(
  place: LakeFiles,
  scope: FileScope,
  signal: AbortSignal,
): Promise<{ files: readonly LakeFile[]; local: LocalFiles }> {
  for (let attempt = 1; ; attempt++) {
    const files = (await readManifest(place, signal)).filter((file) => isInScope(file, scope));
    const local = await place.local(files, signal);
    const lost = files.find((_, i) => local.paths[i] === undefined);
    if (lost === undefined) return { files, local };
    local.done();
    if (attempt === ATTEMPTS_MAX)
      throw new EdgeError(
        "LAKE_UNAVAILABLE",
        `${lost.path} is not in the lake ${place.name}, whose manifest names it`,
        {
          hint: "Bring the file back from a copy. A writer that starts writes the manifest anew.",
        },
      );
  }
}

export function isInScope(file: LakeFile, { kinds, factory, day, fromMs, toMs }: FileScope): boolean {
  if (!kinds.includes(file.kind) || (factory !== undefined && file.factoryId !== factory)) return false;
  if (day !== undefined && file.day !== day) return false;
  // Rows of no day are bounded by their times alone.
  const from = file.minMs ?? (file.day === null ? Number.NEGATIVE_INFINITY : file.day * DAY_MS);
  const to = file.maxMs ?? (file.day === null ? Number.POSITIVE_INFINITY : (file.day + 1) * DAY_MS - 1);
  return (fromMs === undefined || to >= fromMs) && (toMs === undefined || from < toMs);
}

/** A text as SQL writes it. */
export function sqlText(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/** An instant as SQL writes it. */
export function sqlTime(timeMs: number): string {
  return `make_timestamp(${Math.round(timeMs * 1_000)})`;
}
