import type { Clock } from "../../../edge/kernel/clock.ts";
import { EdgeError } from "../../../edge/kernel/errors.ts";
import { type Database, type Sql, sqlStateOf } from "../../database/database.ts";
import { migrate } from "../../database/migrate.ts";
import { documentBytes } from "../document-bytes.ts";
import type {
  CommitResult,
  Container,
  Continuation,
  EventStore,
  FeedPage,
  Partition,
  StoreCharges,
  StoredDocument,
  Transaction,
} from "../event-store.ts";
import { abortable } from "./abortable.ts";
import { checkTransaction } from "./check-transaction.ts";
import { commitWithin } from "./commit-work.ts";
import { Days, dayOf } from "./days.ts";
import { findByKey } from "./document-keys.ts";
import { BUCKET_LOCK_CLASS, bucketOfRange, continuationOf, lockOf, positionOf, rangesOf } from "./feed-buckets.ts";
import { FirstDays, keyOfPart, NO_DAY } from "./first-days.ts";
import { StoreKeeper, type StoreKeeperOptions } from "./store-keeper.ts";
import { documentOf, type StoredRow } from "./stored-row.ts";
import { dailyGet, feedStatement, isDaily, KEPT_GET, pageSize, rangeStatement } from "./tables.ts";

/** One transaction of the database takes so much at most; the others wait for it. */
const WORK_OPERATIONS_MAX = 4_000;
const WORK_BYTES_MAX = 16 * 2 ** 20;
/** A page of the feed ends behind the document that reaches this. */
const PAGE_BYTES_MAX = 16 * 2 ** 20;
const NO_PARTITION = "23514";
const NO_CHARGES: StoreCharges = { writeUnits: 0, readUnits: 0, feedUnits: 0, throttled: 0 };

/** The days to come are made and those that are over dropped by ensure(), and by a StoreKeeper that runs beside. */
export function createPostgresEventStore(options: StoreKeeperOptions): EventStore {
  return new PostgresEventStore(options);
}

class PostgresEventStore implements EventStore {
  readonly name = "PostgreSQL";
  readonly #database: Database;
  readonly #clock: Clock;
  readonly #keeper: StoreKeeper;
  readonly #days: Days;
  readonly #firstDays = new FirstDays();
  #hasCitus: boolean | undefined;

  constructor(options: StoreKeeperOptions) {
    this.#database = options.database;
    this.#clock = options.clock;
    this.#keeper = new StoreKeeper(options);
    this.#days = new Days(options.database);
  }

  ensure(signal: AbortSignal): Promise<void> {
    return guarded(signal, async () => {
      await migrate(this.#database);
      await this.#keeper.keep();
    });
  }

  commit(
    container: Container,
    transactions: readonly Transaction[],
    signal: AbortSignal,
  ): Promise<readonly CommitResult[]> {
    return guarded(signal, async () => {
      for (const transaction of transactions) checkTransaction(transaction);
      const results: CommitResult[] = [];
      for (const work of worksOf(transactions)) results.push(...(await this.#commitWork(container, work, signal)));
      return results;
    });
  }

  async #commitWork(container: Container, work: readonly Transaction[], signal: AbortSignal): Promise<CommitResult[]> {
    for (let isFirst = true; ; isFirst = false) {
      signal.throwIfAborted();
      const storedMs = this.#clock.nowMs();
      const day = dayOf(storedMs);
      if (isDaily(container)) await this.#days.ensure(container, day);
      try {
        const firstDays = this.#firstDays;
        return await this.#database.transaction((sql) =>
          commitWithin({ sql, container, transactions: work, storedMs, day, firstDays, signal }),
        );
      } catch (error) {
        if (!isFirst || sqlStateOf(error) !== NO_PARTITION || !isDaily(container)) throw error;
        this.#days.forget();
        // Beside today's those of partitions that began when a clock was ahead: what they get is stored with their first day.
        const partitions = work.map(({ partition }) => partition);
        const firstDays = await this.#firstDays.of(this.#database, container, partitions);
        for (const first of new Set(firstDays.values())) if (first > day) await this.#days.ensure(container, first);
      }
    }
  }

  get(
    container: Container,
    keys: readonly { readonly partition: Partition; readonly id: string }[],
    signal: AbortSignal,
  ): Promise<readonly (StoredDocument | undefined)[]> {
    return guarded(signal, async () => {
      if (keys.length === 0) return [];
      const found = new Array<StoredDocument | undefined>(keys.length).fill(undefined);
      const sql = this.#database;
      const rows = await findByKey<StoredRow>(sql, this.#firstDays, container, keys, {
        kept: async (values) => (await sql.prepared<never>("store_kept_get", KEPT_GET, values)).rows,
        daily: async (daily, values) => (await sql.prepared<never>(`store_get_${daily}`, dailyGet(daily), values)).rows,
      });
      for (const [index, row] of rows) found[index] = documentOf(container, row);
      return found;
    });
  }

  range(
    container: Container,
    partition: Partition,
    { afterId = "", toId, limit }: { readonly afterId?: string; readonly toId?: string; readonly limit: number },
    signal: AbortSignal,
  ): Promise<readonly StoredDocument[]> {
    return guarded(signal, async () => {
      const { stream, part } = partition;
      const days = isDaily(container) ? await this.#firstDays.of(this.#database, container, [partition]) : undefined;
      const { rows } = await this.#database.prepared<StoredRow>(
        `store_range_${container}_${pageSize(limit)}`,
        rangeStatement(container, pageSize(limit)),
        [stream, part, afterId, toId ?? null, days?.get(keyOfPart(partition)) ?? NO_DAY, whole(limit)],
      );
      return rows.map((row) => documentOf(container, row));
    });
  }

  async feedRanges(container: Container, signal: AbortSignal): Promise<readonly string[]> {
    signal.throwIfAborted();
    return rangesOf(container);
  }

  changes(
    container: Container,
    range: string,
    continuation: Continuation | undefined,
    limit: number,
    signal: AbortSignal,
  ): Promise<FeedPage> {
    return guarded(signal, async () => {
      const bucket = bucketOfRange(container, range);
      const after = positionOf(continuation);
      const read = async (sql: Sql): Promise<(StoredRow & { found: number })[]> => {
        const { rows } = await sql.prepared<StoredRow & { found: number }>(
          `store_feed_${container}_${pageSize(limit)}`,
          feedStatement(container, pageSize(limit)),
          [bucket, after, PAGE_BYTES_MAX, whole(limit)],
        );
        return rows;
      };
      const rows = (await this.#isSharded())
        ? await this.#database.transaction(async (sql) => {
            // A transaction over shards becomes visible shard by shard: none may be on its way while they are read.
            await sql.query("SELECT pg_advisory_xact_lock_shared($1, $2)", [
              BUCKET_LOCK_CLASS,
              lockOf(container, bucket),
            ]);
            return read(sql);
          })
        : await read(this.#database);
      const last = rows.at(-1);
      return {
        documents: rows.map((row) => documentOf(container, row)),
        continuation: last === undefined ? continuation : continuationOf(last.position),
        hasMore: last !== undefined && last.found > rows.length,
      };
    });
  }

  charges(): StoreCharges {
    return NO_CHARGES;
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  async #isSharded(): Promise<boolean> {
    this.#hasCitus ??= (await this.#database.query<{ has: boolean }>("SELECT app.has_citus() AS has")).rows[0]?.has;
    return this.#hasCitus === true;
  }
}

/** Pieces that one transaction of the database takes. */
function* worksOf(transactions: readonly Transaction[]): Generator<Transaction[], void, undefined> {
  let work: Transaction[] = [];
  let operations = 0;
  let bytes = 0;
  for (const transaction of transactions) {
    const own = transaction.operations.reduce(
      (sum, each) => sum + (each.op === "remove" ? 0 : documentBytes(each.document)),
      0,
    );
    if (
      work.length > 0 &&
      (operations + transaction.operations.length > WORK_OPERATIONS_MAX || bytes + own > WORK_BYTES_MAX)
    ) {
      yield work;
      work = [];
      operations = 0;
      bytes = 0;
    }
    work.push(transaction);
    operations += transaction.operations.length;
    bytes += own;
  }
  if (work.length > 0) yield work;
}

function whole(limit: number): number {
  return Math.max(1, Math.floor(limit));
}

async function guarded<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  try {
    return await abortable(signal, work);
  } catch (error) {
    if (error instanceof EdgeError && (error.code === "DATABASE_UNAVAILABLE" || error.code === "DATABASE_REFUSED"))
      throw new EdgeError(error.retry === "never" ? "STORE_REFUSED" : "STORE_UNAVAILABLE", error.message, {
        cause: error,
        ...(error.hint === undefined ? {} : { hint: error.hint }),
      });
    throw error;
  }
}
