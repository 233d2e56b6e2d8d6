import { EdgeError } from "../../edge/kernel/errors.ts";
import type { Sql } from "../database/database.ts";
import type { Container, Continuation } from "../store/event-store.ts";

/** How far one projection has come in one range of the feed. */
export interface Position {
  readonly container: Container;
  readonly range: string;
  readonly continuation: Continuation | undefined;
}

export interface Move extends Position {
  readonly next: Continuation | undefined;
  readonly documents: number;
}

/**
 * Makes it known, before anything is read, that the projection follows these ranges: what a reader stands before is not packed together
 * (store/postgres/repack), and one of which nothing is known stands nowhere.
 */
export async function beginPositions(
  sql: Sql,
  projection: string,
  ranges: readonly Pick<Position, "container" | "range">[],
): Promise<void> {
  await sql.query(
    `INSERT INTO model.checkpoint (projection, container, feed_range)
     SELECT $1, container, feed_range FROM unnest($2::text[], $3::text[]) AS t (container, feed_range)
     ON CONFLICT DO NOTHING`,
    [projection, ranges.map(({ container }) => container), ranges.map(({ range }) => range)],
  );
}

export async function readPositions(sql: Sql, projection: string): Promise<Position[]> {
  const { rows } = await sql.query<{ container: Container; feed_range: string; continuation: string | null }>(
    "SELECT container, feed_range, continuation FROM model.checkpoint WHERE projection = $1",
    [projection],
  );
  return rows.map(({ container, feed_range, continuation }) => ({
    container,
    range: feed_range,
    continuation: continuation ?? undefined,
  }));
}

/**
 * Moves checkpoints on, each from where the caller believes it to be.
 * @throws EdgeError DATABASE_UNAVAILABLE when one stands elsewhere: another process has moved it; roll back and read anew
 */
export async function movePositions(sql: Sql, projection: string, moves: readonly Move[]): Promise<void> {
  if (moves.length === 0) return;
  await sql.prepared(
    "model_checkpoint_insert",
    `INSERT INTO model.checkpoint (projection, container, feed_range)
     SELECT $1, container, feed_range FROM unnest($2::text[], $3::text[]) AS t (container, feed_range)
     ON CONFLICT DO NOTHING`,
    [projection, moves.map(({ container }) => container), moves.map(({ range }) => range)],
  );
  const { rowCount } = await sql.prepared(
    "model_checkpoint_move",
    `UPDATE model.checkpoint c
        SET continuation = m.next, documents = c.documents + m.documents, moved_at = now()
       FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[])
            AS m (container, feed_range, expected, next, documents)
      WHERE c.projection = $1 AND c.container = m.container AND c.feed_range = m.feed_range
        AND c.continuation IS NOT DISTINCT FROM m.expected`,
    [
      projection,
      moves.map(({ container }) => container),
      moves.map(({ range }) => range),
      moves.map(({ continuation }) => continuation ?? null),
      moves.map(({ next }) => next ?? null),
      moves.map(({ documents }) => documents),
    ],
  );
  if (rowCount !== moves.length)
    throw new EdgeError("DATABASE_UNAVAILABLE", `another process has moved the checkpoints of ${projection}`, {
      hint: "It ends by itself; if it goes on, see which processes run projections on this database.",
    });
}
