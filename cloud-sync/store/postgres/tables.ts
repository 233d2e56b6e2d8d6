import type { Container } from "../event-store.ts";
import { DAILY, type DailyContainer } from "./days.ts";
import { COLUMNS } from "./stored-row.ts";

export function isDaily(container: Container): container is DailyContainer {
  return (DAILY as readonly string[]).includes(container);
}

/** One place where documents of a container stand, as reading statements see it. */
interface Source {
  readonly table: string;
  /** The columns, in the order of COLUMNS. */
  readonly columns: string;
  readonly condition: string;
}

function sourcesOf(container: Container): Source[] {
  const kept: Source = {
    table: "store.document",
    columns: COLUMNS.replace("never", "true AS never"),
    condition: `container = '${container}'`,
  };
  if (!isDaily(container)) return [kept];
  return [
    { table: `store.${container}`, columns: COLUMNS.replace("never", "false AS never"), condition: "true" },
    kept,
  ];
}

/** $1 streams, $2 parts, $3 ids: what stands there, `n` telling of which. */
export function standingStatement(container: Container): string {
  return sourcesOf(container)
    .map(
      ({ table, condition }) =>
        `SELECT k.n, t.position, ${table === "store.document" ? "NULL" : "t.stored_on::text"} AS stored_on
           FROM unnest($1::text[], $2::text[], $3::text[]) WITH ORDINALITY AS k (stream, part, id, n)
           JOIN ${table} t ON t.stream = k.stream AND t.part = k.part AND t.id = k.id AND ${condition}`,
    )
    .join(" UNION ALL ");
}

/** $1 streams, $2 parts, $3 ids: the documents, `n` telling of which. */
export function getStatement(container: Container): string {
  return sourcesOf(container)
    .map(
      ({ table, columns, condition }) =>
        `SELECT k.n, ${columns.replace("stream, part, id", "t.stream, t.part, t.id")}
           FROM unnest($1::text[], $2::text[], $3::text[]) WITH ORDINALITY AS k (stream, part, id, n)
           JOIN ${table} t ON t.stream = k.stream AND t.part = k.part AND t.id = k.id AND ${condition}`,
    )
    .join(" UNION ALL ");
}

/**
 * $1 stream, $2 part, $3 the id before, $4 the last id or null. The limit is part of the text, so that the planner knows that the
 * beginning of an index is wanted.
 */
export function rangeStatement(container: Container, limit: number): string {
  const parts = sourcesOf(container).map(
    ({ table, columns, condition }) =>
      `(SELECT ${columns} FROM ${table}
         WHERE stream = $1 AND part = $2 AND id > $3 AND ($4::text IS NULL OR id <= $4) AND ${condition}
         ORDER BY id LIMIT ${limit})`,
  );
  return `${parts.join(" UNION ALL ")} ORDER BY id LIMIT ${limit}`;
}

/**
 * $1 bucket, $2 position before, $3 bytes of bodies after which a page ends. One document more than `limit` is looked for: `found` of
 * each row tells how many there were.
 */
export function feedStatement(container: Container, limit: number): string {
  const parts = sourcesOf(container).map(
    ({ table, columns, condition }) =>
      `(SELECT ${columns} FROM ${table} WHERE bucket = $1 AND position > $2 AND in_feed AND ${condition}
         ORDER BY position LIMIT ${limit + 1})`,
  );
  return `SELECT ${COLUMNS}, found FROM (
      SELECT ${COLUMNS}, count(*) OVER () AS found, row_number() OVER (ORDER BY position) AS place,
             coalesce(sum(octet_length(body)) OVER (ORDER BY position ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS before
        FROM (${parts.join(" UNION ALL ")} ORDER BY position LIMIT ${limit + 1}) page
    ) measured WHERE place <= ${limit} AND before < $3 ORDER BY position`;
}

const VALUES = "position, stored_ms, bucket, in_feed, kind, stream, part, id, fields, body";
const UNNESTED = `unnest($1::int8[], $2::int8[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::bytea[])
    AS k (position, flags, kind, stream, part, id, fields, body)`;
/** flags: the bucket, doubled, plus one when it is in the feed. $9 stored_ms, $10 day or container. */
const SELECTED = "position, $9::int8, (flags / 2)::int2, flags % 2 = 1, kind, stream, part, id, fields, body";
const NEWER = VALUES.split(", ")
  .filter((column) => !["stream", "part", "id"].includes(column))
  .map((column) => `${column} = excluded.${column}`)
  .join(", ");

export function writeStatement(container: DailyContainer): string {
  return `INSERT INTO store.${container} (${VALUES}, stored_on) SELECT ${SELECTED}, $10::date FROM ${UNNESTED}
    ON CONFLICT (stream, part, id, stored_on) DO UPDATE SET ${NEWER}`;
}

export const KEEP_STATEMENT = `INSERT INTO store.document (${VALUES}, container) SELECT ${SELECTED}, $10::text FROM ${UNNESTED}
    ON CONFLICT (stream, container, part, id) DO UPDATE SET ${NEWER}`;

/** $1 streams, $2 parts, $3 ids, $4 days */
export function deleteStatement(container: DailyContainer): string {
  return `DELETE FROM store.${container} t USING unnest($1::text[], $2::text[], $3::text[], $4::text[]) AS k (stream, part, id, stored_on)
    WHERE t.stream = k.stream AND t.part = k.part AND t.id = k.id AND t.stored_on = k.stored_on::date`;
}

/** $1 streams, $2 parts, $3 ids, $4 container */
export const UNKEEP_STATEMENT = `DELETE FROM store.document t USING unnest($1::text[], $2::text[], $3::text[]) AS k (stream, part, id)
    WHERE t.stream = k.stream AND t.part = k.part AND t.id = k.id AND t.container = $4`;
