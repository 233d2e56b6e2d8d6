import type { Sql } from "../../../database/database.ts";
import type { Container } from "../../event-store.ts";
import { positionOf } from "../feed-buckets.ts";

/** "TLSP"; 035-repack.sql takes it for readers that begin. */
const READERS_LOCK = 0x544c_5350;

/** Until the end of the transaction no reader of a feed begins, or begins anew. */
export async function holdReaders(sql: Sql): Promise<void> {
  await sql.query("SELECT pg_advisory_xact_lock($1, 0)", [READERS_LOCK]);
}

/**
 * The position that every reader of this range has passed; infinite when there is none. A reader that has checkpoints in other ranges
 * only, or is made anew, stands at the beginning, as does one whose continuation is no position of ours.
 */
export async function passedByAll(sql: Sql, container: Container, range: string): Promise<number> {
  const readers = await readersOf(sql, container, range);
  return readers.reduce((least, { position }) => Math.min(least, position), Number.POSITIVE_INFINITY);
}

export interface FeedReader {
  readonly name: string;
  /** Passed. */
  readonly position: number;
}

export async function readersOf(sql: Sql, container: Container, range: string): Promise<FeedReader[]> {
  const { rows } = await sql.query<{ name: string; continuation: string | null }>(
    `SELECT reader.name, c.continuation
       FROM (SELECT projection FROM model.checkpoint WHERE container = $1
             UNION
             SELECT name FROM model.projection WHERE rebuilding) AS reader (name)
       LEFT JOIN model.checkpoint c ON c.projection = reader.name AND c.container = $1 AND c.feed_range = $2`,
    [container, range],
  );
  return rows.map(({ name, continuation }) => ({ name, position: passedBy(continuation) }));
}

function passedBy(continuation: string | null): number {
  try {
    return positionOf(continuation ?? undefined);
  } catch {
    return 0;
  }
}
