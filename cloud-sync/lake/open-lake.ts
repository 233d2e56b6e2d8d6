import {
  DuckDBBlobValue,
  type DuckDBPreparedStatement,
  type DuckDBValue,
  JsonDuckDBValueConverter,
  StatementType,
} from "@duckdb/node-api";
import { EdgeError, messageOf } from "../../edge/kernel/errors.ts";
import { LAKE_KINDS } from "./columns.ts";
import type { DuckDbLimits } from "./duck-db.ts";
import type { LakeFile } from "./lake-catalog.ts";
import { type FileScope, isInScope, LakeSession } from "./lake-session.ts";
import { readManifest } from "./manifest.ts";
import type { LakeFiles } from "./place/lake-files.ts";
import { filesOf, type LakePlace, type PlaceOptions } from "./place/place.ts";

export interface OpenLakeOptions extends DuckDbLimits, PlaceOptions {
  readonly place: LakePlace | LakeFiles;
  /** Only what these files hold is there for queries. */
  readonly factory?: string | undefined;
  /** UTC epoch ms, the end excluded: files that have rows of then. */
  readonly fromMs?: number | undefined;
  readonly toMs?: number | undefined;
}

export interface QueryOptions {
  /** Rows that are given; the others are counted. */
  readonly rowsMax?: number;
  readonly signal?: AbortSignal;
}

export interface LakeAnswer {
  readonly columns: readonly { readonly name: string; readonly type: string }[];
  readonly rows: readonly (readonly LakeCell[])[];
  /** Of the whole answer; undefined when it has more than ROWS_COUNTED_MAX. */
  readonly rowCount: number | undefined;
}

/** Timestamps, dates, blobs and the like as DuckDB writes them; lists and structs as JSON has them. */
export type LakeCell = null | boolean | number | bigint | string | object;

const ROWS_MAX = 1_000;
export const ROWS_COUNTED_MAX = 10_000_000;

/**
 * Opens a lake for queries, by its manifest alone: no database is asked, no writer disturbed. Each query sees the files of its beginning,
 * in a DuckDB of its own in which nothing but SELECT runs, over the views readings, events and rollups (columns.ts, and factory, date of
 * the partitions). Times are UTC.
 */
export function openLake(options: OpenLakeOptions): Lake {
  return new Lake(options);
}

export class Lake {
  readonly #options: OpenLakeOptions;
  readonly #files: LakeFiles;

  constructor(options: OpenLakeOptions) {
    this.#options = options;
    this.#files = "put" in options.place ? options.place : filesOf(options.place, options);
  }

  get name(): string {
    return this.#files.name;
  }

  /** The lake's files, of what is opened of it. @throws EdgeError LAKE_UNAVAILABLE */
  async files(signal: AbortSignal): Promise<readonly LakeFile[]> {
    const scope = this.#scope(LAKE_KINDS.join(" "));
    return (await readManifest(this.#files, signal)).filter((file) => isInScope(file, scope));
  }

  /**
   * @throws EdgeError LAKE_QUERY when the SQL is wrong, is not one SELECT, or asks for what it may not; the message names the place.
   *   LAKE_UNAVAILABLE
   */
  async query(
    sql: string,
    { rowsMax = ROWS_MAX, signal = new AbortController().signal }: QueryOptions = {},
  ): Promise<LakeAnswer> {
    await using session = await LakeSession.open(this.#files, this.#scope(sql), this.#options, signal);
    const interrupt = (): void => session.connection.interrupt();
    signal.addEventListener("abort", interrupt);
    try {
      const statement = await selectOf(session, sql);
      return await answerOf(statement, rowsMax);
    } catch (error) {
      signal.throwIfAborted();
      throw queryError(error);
    } finally {
      signal.removeEventListener("abort", interrupt);
    }
  }

  /** Of a lake far away only those kinds are brought here that the SQL can name. */
  #scope(sql: string): FileScope {
    const { factory, fromMs, toMs } = this.#options;
    return { kinds: LAKE_KINDS.filter((kind) => sql.toLowerCase().includes(kind)), factory, fromMs, toMs };
  }
}

async function selectOf({ connection }: LakeSession, sql: string): Promise<DuckDBPreparedStatement> {
  const statements = await connection.extractStatements(sql);
  if (statements.count !== 1)
    throw new EdgeError("LAKE_QUERY", `one SELECT is wanted, here are ${statements.count} statements`);
  const statement = await statements.prepare(0);
  const { statementType } = statement;
  if (statementType === StatementType.SELECT) return statement;
  const explained = /^\s*explain\s+(?:analyze\s+)?(?<sql>[\s\S]*)$/i.exec(sql)?.groups?.sql;
  if (statementType === StatementType.EXPLAIN && explained !== undefined) {
    await selectOf({ connection } as LakeSession, explained);
    return statement;
  }
  throw new EdgeError("LAKE_QUERY", "only SELECT is allowed over the lake", {
    hint: "Its views are readings, events and rollups.",
  });
}

async function answerOf(statement: DuckDBPreparedStatement, rowsMax: number): Promise<LakeAnswer> {
  const result = await statement.stream();
  const columns = result.columnNames().map((name, i) => ({ name, type: String(result.columnType(i)) }));
  const rows: LakeCell[][] = [];
  let rowCount = 0;
  while (rowCount <= ROWS_COUNTED_MAX) {
    const chunk = await result.fetchChunk();
    if (chunk === null || chunk.rowCount === 0) return { columns, rows, rowCount };
    rowCount += chunk.rowCount;
    for (let row = 0; row < chunk.rowCount && rows.length < rowsMax; row++)
      rows.push(columns.map((_, i) => cellOf(chunk.getColumnVector(i).getItem(row), result.columnType(i))));
  }
  return { columns, rows, rowCount: undefined };
}

function cellOf(value: DuckDBValue, type: Parameters<typeof JsonDuckDBValueConverter>[1]): LakeCell {
  if (typeof value === "bigint") return Number.isSafeInteger(Number(value)) ? Number(value) : value;
  if (value === null || typeof value !== "object") return value;
  if (value instanceof DuckDBBlobValue) return value.toString();
  return JsonDuckDBValueConverter(value, type, JsonDuckDBValueConverter) as LakeCell;
}

const HINTS: readonly (readonly [pattern: RegExp, hint: string])[] = [
  [
    /Permission Error|configuration has been locked|Missing Extension|not (?:allowed|load)/i,
    "A query reads the lake's views readings, events and rollups, and nothing else.",
  ],
  [/Out of Memory|max_temp_directory_size/i, "Ask for fewer days, factories or columns, or allow more memory."],
  [
    /Table with name|Catalog Error/i,
    "The views are readings, events and rollups; SELECT * FROM readings LIMIT 1 shows the columns.",
  ],
  [/column/i, "SELECT * FROM readings LIMIT 1 shows the columns."],
];

/** DuckDB's message has the line of the SQL and a mark below the place. */
function queryError(error: unknown): unknown {
  if (error instanceof EdgeError) return error;
  const message = messageOf(error).split("\nStack Trace")[0]?.trim() ?? "";
  const hint = HINTS.find(([pattern]) => pattern.test(message))?.[1] ?? "Look at the place in the SQL; it is DuckDB's.";
  return new EdgeError("LAKE_QUERY", message.replace(/^Error: /, ""), { cause: error, hint });
}
