import { EdgeError } from "../../edge/kernel/errors.ts";
import type { Sql } from "../database/database.ts";
import type { Container, Continuation } from "../store/event-store.ts";

/** A step of a reader of the feed, from where it believes to be to where it is now. */
export interface Step {
  readonly range: string;
  readonly from: Continuation | undefined;
  readonly to: Continuation | undefined;
  readonly documents: number;
}

/** Makes it known, before anything is read, that the reader follows these ranges: what it stands before is not packed together. */
export async function beginCheckpoints(
  sql: Sql,
  reader: string,
  container: Container,
  ranges: readonly string[],
): Promise<void> {
  await sql.query(
    `INSERT INTO model.checkpoint (projection, container, feed_range)
     SELECT $1, $2, feed_range FROM unnest($3::text[]) AS t (feed_range) ON CONFLICT DO NOTHING`,
    [reader, container, ranges],
  );
}

/** Where a reader stands in each range of a container's feed. */
export async function readCheckpoints(
  sql: Sql,
  reader: string,
  container: Container,
): Promise<Map<string, Continuation | undefined>> {
  const { rows } = await sql.query<{ feed_range: string; continuation: string | null }>(
    "SELECT feed_range, continuation FROM model.checkpoint WHERE projection = $1 AND container = $2",
    [reader, container],
  );
  return new Map(rows.map((row) => [row.feed_range, row.continuation ?? undefined]));
}

/** @throws EdgeError DATABASE_UNAVAILABLE when another process has moved one of them: forget all and read anew */
export async function moveCheckpoints(
  sql: Sql,
  reader: string,
  container: Container,
  steps: readonly Step[],
): Promise<void> {
  if (steps.length === 0) return;
  const ranges = steps.map(({ range }) => range);
  await sql.prepared(
    "scoring_checkpoint_insert",
    `INSERT INTO model.checkpoint (projection, container, feed_range)
     SELECT $1, $2, feed_range FROM unnest($3::text[]) AS t (feed_range) ON CONFLICT DO NOTHING`,
    [reader, container, ranges],
  );
  const { rowCount } = await sql.prepared(
    "scoring_checkpoint_move",
    `UPDATE model.checkpoint c
        SET continuation = m.next, documents = c.documents + m.documents, moved_at = now()
       FROM unnest($3::text[], $4::text[], $5::text[], $6::bigint[]) AS m (feed_range, expected, next, documents)
      WHERE c.projection = $1 AND c.container = $2 AND c.feed_range = m.feed_range
        AND c.continuation IS NOT DISTINCT FROM m.expected`,
    [
      reader,
      container,
      ranges,
      steps.map(({ from }) => from ?? null),
      steps.map(({ to }) => to ?? null),
      steps.map(({ documents }) => documents),
    ],
  );
  if (rowCount !== steps.length)
    throw new EdgeError("DATABASE_UNAVAILABLE", `another process has moved the checkpoint of ${reader}`, {
      hint: "It ends by itself; if it goes on, see which processes run the part scoring on this database.",
    });
}
