import type { Sql } from "../../database/database.ts";
import type { CommitResult, Container, Transaction } from "../event-store.ts";
import { idOf } from "./check-transaction.ts";
import { BUCKET_LOCK_CLASS, bucketOf, lockOf } from "./feed-buckets.ts";
import { type Change, judge, keyOf, type StandingRow } from "./judge.ts";
import {
  deleteStatement,
  isDaily,
  KEEP_STATEMENT,
  standingStatement,
  UNKEEP_STATEMENT,
  writeStatement,
} from "./tables.ts";
import { byteaArray, int8Array, textArray } from "./wire-arrays.ts";

/** The sequence moves on by so many at a time (010-store.sql). */
const POSITIONS_PER_STEP = 1024;

/**
 * Writers of a bucket come one behind the other, and number what they write only then: so positions are committed in their order, and a
 * reader that has seen one has seen all before it. In the order of their numbers, so that two writers never wait for each other.
 */
export async function lockBuckets(sql: Sql, container: Container, streams: Iterable<string>): Promise<void> {
  const locks = new Set([...streams].map((stream) => lockOf(container, bucketOf(container, stream))));
  await sql.prepared("store_lock", "SELECT pg_advisory_xact_lock($1, k) FROM unnest($2::int4[]) AS k", [
    BUCKET_LOCK_CLASS,
    [...locks].sort((a, b) => a - b),
  ]);
}

/** Does the transactions within one of the database. @param day of storedMs: its partition is there */
export async function commitWithin(
  sql: Sql,
  container: Container,
  transactions: readonly Transaction[],
  { storedMs, day, signal }: { storedMs: number; day: string; signal: AbortSignal },
): Promise<CommitResult[]> {
  await lockBuckets(sql, container, new Set(transactions.map(({ partition }) => partition.stream)));
  const standing = await standingOf(sql, container, transactions);
  const operations = transactions.reduce((sum, each) => sum + each.operations.length, 0);
  const { rows } = await sql.prepared<{ position: number }>(
    "store_positions",
    "SELECT nextval('store.position') AS position FROM generate_series(1, $1::int)",
    [Math.ceil(operations / POSITIONS_PER_STEP)],
  );
  let taken = 0;
  const { results, changes } = judge(transactions, standing, () => {
    const step = rows[Math.floor(taken / POSITIONS_PER_STEP)] as { position: number };
    return step.position + (taken++ % POSITIONS_PER_STEP);
  });
  signal.throwIfAborted();
  await removeStanding(sql, container, changes, day);
  await write(sql, container, changes, { storedMs, day });
  signal.throwIfAborted();
  return results;
}

async function standingOf(
  sql: Sql,
  container: Container,
  transactions: readonly Transaction[],
): Promise<Map<string, StandingRow>> {
  const keys = transactions.flatMap(({ partition, operations }) =>
    operations.map((operation) => ({ partition, id: idOf(operation) })),
  );
  const { rows } = await sql.prepared<{ n: number; position: number; stored_on: string | null }>(
    `store_standing_${container}`,
    standingStatement(container),
    keyArrays(keys),
  );
  return new Map(
    rows.map(({ n, position, stored_on }) => {
      const { partition, id } = keys[n - 1] as (typeof keys)[number];
      return [keyOf(partition, id), { position, storedOn: stored_on ?? undefined }];
    }),
  );
}

/** What is removed, and what is written to another place than it stands in. */
async function removeStanding(sql: Sql, container: Container, changes: readonly Change[], day: string): Promise<void> {
  const leaving = changes.filter(
    ({ before, after }) =>
      before !== undefined && (after === undefined || placeOf(container, after.document.ttl, day) !== before.storedOn),
  );
  const daily = leaving.filter(({ before }) => before?.storedOn !== undefined);
  if (daily.length > 0 && isDaily(container))
    await sql.prepared(`store_delete_${container}`, deleteStatement(container), [
      ...keyArrays(daily),
      textArray(daily.map(({ before }) => before?.storedOn ?? "")),
    ]);
  const kept = leaving.filter(({ before }) => before?.storedOn === undefined);
  if (kept.length > 0) await sql.prepared("store_unkeep", UNKEEP_STATEMENT, [...keyArrays(kept), container]);
}

async function write(
  sql: Sql,
  container: Container,
  changes: readonly Change[],
  { storedMs, day }: { storedMs: number; day: string },
): Promise<void> {
  const written = changes.filter(({ after }) => after !== undefined);
  const daily = written.filter(({ after }) => placeOf(container, after?.document.ttl, day) !== undefined);
  if (daily.length > 0 && isDaily(container))
    await sql.prepared(`store_write_${container}`, writeStatement(container), [
      ...valueArrays(container, daily),
      storedMs,
      day,
    ]);
  const kept = written.filter(({ after }) => placeOf(container, after?.document.ttl, day) === undefined);
  if (kept.length > 0)
    await sql.prepared("store_keep", KEEP_STATEMENT, [...valueArrays(container, kept), storedMs, container]);
}

/** The day whose partition a document is written to; undefined: among those that are kept for ever. */
function placeOf(container: Container, ttl: "never" | undefined, day: string): string | undefined {
  return isDaily(container) && ttl === undefined ? day : undefined;
}

export function keyArrays(keys: readonly Pick<Change, "partition" | "id">[]): Buffer[] {
  return [
    textArray(keys.map(({ partition }) => partition.stream)),
    textArray(keys.map(({ partition }) => partition.part)),
    textArray(keys.map(({ id }) => id)),
  ];
}

function valueArrays(container: Container, changes: readonly Change[]): Buffer[] {
  const rows = changes.flatMap(({ partition, id, after }) =>
    after === undefined ? [] : [{ partition, id, ...after }],
  );
  return [
    int8Array(rows.map(({ position }) => position)),
    int8Array(
      rows.map(
        ({ partition, document }) => bucketOf(container, partition.stream) * 2 + (document.inFeed === false ? 0 : 1),
      ),
    ),
    textArray(rows.map(({ document }) => document.kind)),
    ...keyArrays(rows),
    textArray(rows.map(({ document }) => JSON.stringify(document.fields))),
    byteaArray(rows.map(({ document }) => document.body)),
  ];
}
