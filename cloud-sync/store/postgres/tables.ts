import type { Container } from "../event-store.ts";
import { DAILY, type DailyContainer } from "./days.ts";
import { COLUMNS } from "./stored-row.ts";

/**
 * The statements. Documents of a container stand in its table of days and, those that are kept for ever, in store.document. What looks
 * for names gets the first day that may hold them: the days before are not opened.
 */
export function isDaily(container: Container): container is DailyContainer {
  return (DAILY as readonly string[]).includes(container);
}

const KEPT_COLUMNS = COLUMNS.replace("never", "true AS never");
const DAILY_COLUMNS = COLUMNS.replace("never", "false AS never");
const KEYS = "unnest($1::text[], $2::text[], $3::text[]) WITH ORDINALITY AS k (stream, part, id, n)";
const IS_KEY = "t.stream = k.stream AND t.part = k.part AND t.id = k.id";

/** $1 streams, $2 parts, $3 ids, $4 container: what of them is kept for ever, `n` telling of which. */
export const KEPT_STANDING = `SELECT k.n, t.position FROM ${KEYS}
    JOIN store.document t ON ${IS_KEY} AND t.container = $4`;

export const KEPT_GET = `SELECT k.n, ${ofTable(KEPT_COLUMNS)} FROM ${KEYS}
    JOIN store.document t ON ${IS_KEY} AND t.container = $4`;

/** $1 streams, $2 parts, $3 ids, $4 first day. */
export function dailyStanding(container: DailyContainer): string {
  return `SELECT k.n, t.position, t.stored_on::text AS stored_on FROM ${KEYS}
    JOIN store.${container} t ON ${IS_KEY} AND t.stored_on >= $4::date`;
}

export function dailyGet(container: DailyContainer): string {
  return `SELECT k.n, ${ofTable(DAILY_COLUMNS)} FROM ${KEYS}
    JOIN store.${container} t ON ${IS_KEY} AND t.stored_on >= $4::date`;
}

function ofTable(columns: string): string {
  return columns
    .split(", ")
    .map((column) => (/ AS /.test(column) ? column : `t.${column}`))
    .join(", ");
}

/** A place to read from, and what else must hold there. */
type Source = readonly [table: string, columns: string, condition: string];

function ordered(sources: readonly Source[], condition: string, order: string, limit: number): string {
  // Each by itself is ordered and bounded: so an index is read from its beginning, by each shard too.
  const parts = sources.map(
    ([table, columns, own]) =>
      `(SELECT ${columns} FROM ${table} WHERE ${condition} AND ${own} ORDER BY ${order} LIMIT ${limit})`,
  );
  const [only, ...more] = parts;
  if (only !== undefined && more.length === 0) return only;
  return `${parts.join(" UNION ALL ")} ORDER BY ${order} LIMIT ${limit}`;
}

/**
 * The least of few sizes that holds so many. It stands in the text of a statement, so that the planner knows that the beginning of an
 * index is wanted; there are few, for each is prepared by itself.
 */
export function pageSize(limit: number): number {
  const decade = 10 ** Math.floor(Math.log10(Math.max(1, limit)));
  return ([1, 2, 5].find((step) => step * decade >= limit) ?? 10) * decade;
}

/** $1 stream, $2 part, $3 the id before, $4 the last id or null, $5 first day, $6 limit. @param size of pageSize */
export function rangeStatement(container: Container, size: number): string {
  const kept: Source = ["store.document", KEPT_COLUMNS, `container = '${container}' AND $5::date IS NOT NULL`];
  const sources: Source[] = isDaily(container)
    ? [[`store.${container}`, DAILY_COLUMNS, "stored_on >= $5::date"], kept]
    : [kept];
  const condition = "stream = $1 AND part = $2 AND id > $3 AND ($4::text IS NULL OR id <= $4)";
  return `SELECT * FROM (${ordered(sources, condition, "id", size)}) page ORDER BY id LIMIT $6`;
}

/**
 * $1 bucket, $2 position before, $3 bytes of bodies after which a page ends, $4 limit. One document more than `size` is looked for:
 * `found` of each row tells how many there were.
 * @param size of pageSize
 */
export function feedStatement(container: Container, size: number): string {
  const kept: Source = ["store.document", KEPT_COLUMNS, `container = '${container}'`];
  const sources: Source[] = isDaily(container) ? [[`store.${container}`, DAILY_COLUMNS, "true"], kept] : [kept];
  return `SELECT ${COLUMNS}, found FROM (
      SELECT ${COLUMNS}, count(*) OVER () AS found, row_number() OVER (ORDER BY position) AS place,
             coalesce(sum(octet_length(body)) OVER (ORDER BY position ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS before
        FROM (${ordered(sources, "bucket = $1 AND position > $2 AND in_feed", "position", size + 1)}) page
    ) measured WHERE place <= $4 AND before < $3 ORDER BY position`;
}

const VALUES = "position, stored_ms, bucket, in_feed, kind, stream, part, id, fields, body";
/** flags: the bucket, doubled, plus one when it is in the feed. $9 stored_ms, $10 places: days as dates, containers. */
const unnested = (placeType: "date" | "text"): string =>
  `unnest($1::int8[], $2::int8[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::bytea[], $10::${placeType}[])
    AS k (position, flags, kind, stream, part, id, fields, body, place)`;
const SELECTED = "position, $9::int8, (flags / 2)::int2, flags % 2 = 1, kind, stream, part, id, fields, body, place";
const NEWER = VALUES.split(", ")
  .filter((column) => !["stream", "part", "id"].includes(column))
  .map((column) => `${column} = excluded.${column}`)
  .join(", ");

export function writeStatement(container: DailyContainer): string {
  return `INSERT INTO store.${container} (${VALUES}, stored_on) SELECT ${SELECTED} FROM ${unnested("date")}
    ON CONFLICT (stream, part, id, stored_on) DO UPDATE SET ${NEWER}`;
}

export const KEEP_STATEMENT = `INSERT INTO store.document (${VALUES}, container) SELECT ${SELECTED} FROM ${unnested("text")}
    ON CONFLICT (stream, container, part, id) DO UPDATE SET ${NEWER}`;

/** $1 streams, $2 parts, $3 ids, $4 days */
export function deleteStatement(container: DailyContainer): string {
  return `DELETE FROM store.${container} t USING unnest($1::text[], $2::text[], $3::text[], $4::date[]) AS k (stream, part, id, stored_on)
    WHERE ${IS_KEY} AND t.stored_on = k.stored_on`;
}

/** $1 streams, $2 parts, $3 ids, $4 container */
export const UNKEEP_STATEMENT = `DELETE FROM store.document t USING unnest($1::text[], $2::text[], $3::text[]) AS k (stream, part, id)
    WHERE ${IS_KEY} AND t.container = $4`;
