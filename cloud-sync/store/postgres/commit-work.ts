import type { Sql } from "../../database/database.ts";
import type { CommitResult, Container, Partition, Transaction } from "../event-store.ts";
import { idOf } from "./check-transaction.ts";
import { findByKey, keyArrays, keyOf } from "./document-keys.ts";
import { BUCKET_LOCK_CLASS, bucketOf, lockOf } from "./feed-buckets.ts";
import { type FirstDays, keyOfPart } from "./first-days.ts";
import { type Change, judge, type StandingRow } from "./judge.ts";
import {
  dailyStanding,
  deleteStatement,
  isDaily,
  KEEP_STATEMENT,
  KEPT_STANDING,
  UNKEEP_STATEMENT,
  writeStatement,
} from "./tables.ts";
import { byteaArray, int8Array, textArray } from "./wire-arrays.ts";

/** The sequence moves on by so many at a time (010-store.sql). */
const POSITIONS_PER_STEP = 1024;

export interface CommitWork {
  readonly sql: Sql;
  readonly container: Container;
  readonly transactions: readonly Transaction[];
  readonly storedMs: number;
  /** Of storedMs; its partition is there. */
  readonly day: string;
  readonly firstDays: FirstDays;
  readonly signal: AbortSignal;
}

/** A document to be written, and where: the day, undefined among those that are kept for ever. */
interface Written extends Change {
  readonly after: NonNullable<Change["after"]>;
  readonly place: string | undefined;
}

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

/** Does the transactions within one of the database. */
export async function commitWithin(work: CommitWork): Promise<CommitResult[]> {
  const { sql, container, transactions, signal } = work;
  await lockBuckets(sql, container, new Set(transactions.map(({ partition }) => partition.stream)));
  const standing = await standingOf(work);
  const nextPosition = await positions(
    sql,
    transactions.reduce((sum, each) => sum + each.operations.length, 0),
  );
  const { results, changes } = judge(transactions, standing, nextPosition);
  signal.throwIfAborted();
  const written = await placed(work, changes);
  await removeStanding(sql, container, changes, new Map(written.map((each) => [keyOf(each), each.place])));
  await write(work, written);
  signal.throwIfAborted();
  return results;
}

async function positions(sql: Sql, count: number): Promise<() => number> {
  const { rows } = await sql.prepared<{ position: number }>(
    "store_positions",
    "SELECT nextval('store.position') AS position FROM generate_series(1, $1::int)",
    [Math.ceil(count / POSITIONS_PER_STEP)],
  );
  let taken = 0;
  return () => {
    const step = rows[Math.floor(taken / POSITIONS_PER_STEP)] as { position: number };
    return step.position + (taken++ % POSITIONS_PER_STEP);
  };
}

async function standingOf({ sql, container, transactions, firstDays }: CommitWork): Promise<Map<string, StandingRow>> {
  const keys = transactions.flatMap(({ partition, operations }) =>
    operations.map((operation) => ({ partition, id: idOf(operation) })),
  );
  const found = await findByKey<{ position: number; stored_on?: string }>(sql, firstDays, container, keys, {
    kept: async (values) => (await sql.prepared<never>("store_kept_standing", KEPT_STANDING, values)).rows,
    daily: async (daily, values) =>
      (await sql.prepared<never>(`store_standing_${daily}`, dailyStanding(daily), values)).rows,
  });
  return new Map(
    [...found].map(([index, { position, stored_on }]) => [
      keyOf(keys[index] as (typeof keys)[number]),
      { position, storedOn: stored_on },
    ]),
  );
}

/** Where each document goes. A clock that was set back must not bring one before its partition's first day. */
async function placed({ sql, container, day, firstDays }: CommitWork, changes: readonly Change[]): Promise<Written[]> {
  const written = changes.flatMap((change) => (change.after === undefined ? [] : [{ ...change, after: change.after }]));
  if (!isDaily(container)) return written.map((each) => ({ ...each, place: undefined }));
  const partitions = new Map<string, Partition>();
  for (const { partition, after } of written)
    if (after.document.ttl === undefined) partitions.set(keyOfPart(partition), partition);
  const days = await firstDays.of(sql, container, partitions.values());
  const fresh = [...partitions].filter(([key]) => !days.has(key)).map(([, partition]) => partition);
  await firstDays.write(sql, container, fresh, day);
  return written.map((each) => {
    const first = days.get(keyOfPart(each.partition)) ?? day;
    return { ...each, place: each.after.document.ttl === "never" ? undefined : first > day ? first : day };
  });
}

/** What is removed, and what is written to another place than it stands in. */
async function removeStanding(
  sql: Sql,
  container: Container,
  changes: readonly Change[],
  places: ReadonlyMap<string, string | undefined>,
): Promise<void> {
  const leaving = changes.filter(
    (change) =>
      change.before !== undefined &&
      (change.after === undefined || places.get(keyOf(change)) !== change.before.storedOn),
  );
  const daily = leaving.filter(({ before }) => before?.storedOn !== undefined);
  if (daily.length > 0 && isDaily(container))
    await sql.prepared(`store_delete_${container}`, deleteStatement(container), [
      ...keyArrays(daily),
      daily.map(({ before }) => before?.storedOn),
    ]);
  const kept = leaving.filter(({ before }) => before?.storedOn === undefined);
  if (kept.length > 0) await sql.prepared("store_unkeep", UNKEEP_STATEMENT, [...keyArrays(kept), container]);
}

async function write({ sql, container, storedMs }: CommitWork, written: readonly Written[]): Promise<void> {
  const daily = written.filter(({ place }) => place !== undefined);
  if (daily.length > 0 && isDaily(container))
    await sql.prepared(
      `store_write_${container}`,
      writeStatement(container),
      writeValues(container, daily, storedMs, ({ place }) => place as string),
    );
  const kept = written.filter(({ place }) => place === undefined);
  if (kept.length > 0)
    await sql.prepared(
      "store_keep",
      KEEP_STATEMENT,
      writeValues(container, kept, storedMs, () => container),
    );
}

function writeValues(
  container: Container,
  written: readonly Written[],
  storedMs: number,
  place: (each: Written) => string,
): unknown[] {
  const flags = ({ partition, after }: Written): number =>
    bucketOf(container, partition.stream) * 2 + (after.document.inFeed === false ? 0 : 1);
  return [
    int8Array(written.map(({ after }) => after.position)),
    int8Array(written.map(flags)),
    textArray(written.map(({ after }) => after.document.kind)),
    ...keyArrays(written),
    textArray(written.map(({ after }) => JSON.stringify(after.document.fields))),
    byteaArray(written.map(({ after }) => after.document.body)),
    storedMs,
    written.map(place),
  ];
}
