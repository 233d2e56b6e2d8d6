import type { QueryResultRow } from "pg";
import type { Sql } from "../../../database/database.ts";
import type { Conditions } from "./conditions.ts";
import { decodeCursor, encodeCursor } from "./cursor.ts";

/** Expressions to sort by, all in one direction; the last ones make a row unique. */
export interface Order {
  readonly keys: readonly { readonly sql: string; readonly type: "text" | "timestamptz" | "float8" | "bigint" }[];
  readonly direction: "ASC" | "DESC";
}

export interface PageQuery {
  /** Columns. */
  readonly select: string;
  readonly from: string;
  readonly conditions: Conditions;
  readonly order: Order;
  readonly limit: number;
  readonly cursor: string | undefined;
  /** All parameters but limit and cursor: what the cursor is good for. */
  readonly question: unknown;
}

export interface Page<Row> {
  readonly rows: Row[];
  readonly nextCursor: string | null;
}

/**
 * Reads one page behind the cursor: by the sort keys of the last row (keyset), never by a count of rows to skip. So what is added
 * meanwhile neither repeats nor hides a row that was there before.
 * @throws Failure 400 for a cursor that is none
 */
export async function readPage<Row extends QueryResultRow>(sql: Sql, query: PageQuery): Promise<Page<Row>> {
  const { select, from, conditions, order, limit, cursor, question } = query;
  const { keys, direction } = order;
  if (cursor !== undefined) {
    const after = decodeCursor(question, cursor, keys.length);
    const places = keys.map(({ type }, index) => `${conditions.parameter(after[index])}::text::${type}`);
    const sign = direction === "ASC" ? ">" : "<";
    conditions.fixed(`(${keys.map((key) => key.sql).join(", ")}) ${sign} (${places.join(", ")})`);
  }
  const { rows } = await sql.query<Row & { page_keys: string[] }>(
    `SELECT ${select}, ARRAY[${keys.map((key) => `(${key.sql})::text`).join(", ")}] AS page_keys
       FROM ${from} WHERE ${conditions.text}
      ORDER BY ${keys.map((key) => `${key.sql} ${direction}`).join(", ")}
      LIMIT ${conditions.parameter(limit + 1)}`,
    conditions.values,
  );
  const last = rows.length > limit ? rows[limit - 1] : undefined;
  return { rows: rows.slice(0, limit), nextCursor: last === undefined ? null : encodeCursor(question, last.page_keys) };
}
