import type Database from "better-sqlite3";
import type { Logger } from "pino";
import type { Clock } from "../../../edge/kernel/clock.ts";
import { FailureLog } from "../../../edge/kernel/failure-log.ts";
import { HubError } from "../hub-error.ts";
import type { HubEvent, HubEventLog, NewHubEvent, PartitionInfo } from "../ports.ts";
import { metaOf, openDatabase } from "./database.ts";
import { hashOf } from "./hash.ts";
import { PartitionTable } from "./partition-table.ts";

/** What may wait for its commit; who outruns the disk is told so instead of filling the memory. */
const PENDING_BYTES_MAX = 128 << 20;
/** Longest that an event waits for others to share its fdatasync, and from how many bytes on it does not wait at all. */
const GATHER_MS = 1;
const GATHER_BYTES_MAX = 1 << 20;
/** One transaction is no larger than about this: the write-ahead log and the wait of its first event stay bounded. */
const COMMIT_BYTES_MAX = 8 << 20;
/** What one step of retention takes away, so that no commit waits long behind it; and how many steps are taken at a time. */
const RETENTION_STEP_EVENTS_MIN = 16;
const RETENTION_STEP_EVENTS_MAX = 1_024;
const RETENTION_STEPS_MAX = 8;
/** Enough for a message of 4 KB and its properties without an overflow page. */
const PAGE_BYTES = 16_384;
const CACHE_KIB = 32_768;
const CHECKPOINT_PAGES = 1_024;
const PARTITIONS_MAX = 32;
/** Everything else of the hub waits as long as a commit takes: from here on the log says so. */
const SLOW_COMMIT_MS = 1_000;
/** A row beside its body and properties. */
const HEAD_BYTES = 256;

export interface Retention {
  readonly ageMsMax: number;
  /** Of the file's pages in use. */
  readonly bytesMax: number;
}

interface Pending {
  readonly event: NewHubEvent;
  readonly bytes: number;
  readonly resolve: (at: { partition: number; sequenceNumber: number }) => void;
  readonly reject: (error: HubError) => void;
}

/** The partitioned log of what devices sent. All that waits is written in one transaction, and is acknowledged behind its fdatasync. */
export class SqliteEventLog implements HubEventLog {
  readonly partitions: number;
  readonly createdMs: number;
  readonly #clock: Clock;
  readonly #failures: FailureLog;
  readonly #slowness: FailureLog;
  readonly #database: Database.Database;
  readonly #tables: readonly PartitionTable[];
  readonly #retention: Retention;
  readonly #listeners = new Set<(partitions: ReadonlySet<number>) => void>();
  readonly #pageBytes: number;
  #pending: Pending[] = [];
  #pendingBytes = 0;
  #scheduled: NodeJS.Timeout | NodeJS.Immediate | undefined;
  #roundRobin = 0;
  #closed = false;

  /** `partitions` counts for a new file; an old one keeps the number that it was made with. */
  constructor(options: {
    path: string;
    partitions: number;
    retention: Retention;
    clock: Clock;
    logger: Logger;
  }) {
    if (!Number.isInteger(options.partitions) || options.partitions < 1 || options.partitions > PARTITIONS_MAX) {
      throw new HubError("ArgumentInvalid", `a hub has 1 to ${PARTITIONS_MAX} partitions, not ${options.partitions}`);
    }
    this.#clock = options.clock;
    this.#failures = new FailureLog(options.logger, options.clock, { component: "hub events" });
    this.#slowness = new FailureLog(options.logger, options.clock, { component: "hub disk" });
    this.#retention = options.retention;
    this.#database = openDatabase({
      path: options.path,
      kind: "events",
      pageBytes: PAGE_BYTES,
      cacheKib: CACHE_KIB,
      checkpointPages: CHECKPOINT_PAGES,
    });
    this.#pageBytes = this.#database.pragma("page_size", { simple: true }) as number;
    const [partitions, createdMs, tables] = this.#database.transaction(() => {
      const count = Number(metaOf(this.#database, "partitions", options.partitions));
      const created = Number(metaOf(this.#database, "created_ms", Math.floor(options.clock.nowMs())));
      return [count, created, Array.from({ length: count }, (_, p) => new PartitionTable(this.#database, p))] as const;
    })();
    this.partitions = partitions;
    this.createdMs = createdMs;
    this.#tables = tables;
  }

  append(event: NewHubEvent): Promise<{ partition: number; sequenceNumber: number }> {
    if (this.#closed) return Promise.reject(new HubError("ServiceUnavailable", "the hub is closed"));
    if (event.partition !== undefined && this.#tables[event.partition] === undefined) {
      return Promise.reject(new HubError("ArgumentInvalid", `there is no partition ${event.partition}`));
    }
    if (this.#pendingBytes > PENDING_BYTES_MAX) {
      const message = `${this.#pendingBytes} bytes wait for the disk already`;
      return Promise.reject(new HubError("ThrottleBacklogLimitExceeded", message));
    }
    return new Promise((resolve, reject) => {
      const bytes = event.body.length + HEAD_BYTES;
      this.#pending.push({ event, bytes, resolve, reject });
      this.#pendingBytes += bytes;
      this.#schedule();
    });
  }

  read(partition: number, fromSequenceNumber: number, limit: { events: number; bytes: number }): HubEvent[] {
    return this.#table(partition).read(fromSequenceNumber, limit);
  }

  sequenceNumberAfter(partition: number, ms: number): number {
    return this.#table(partition).after(ms);
  }

  info(partition: number): PartitionInfo {
    return this.#table(partition).info();
  }

  onAppended(listener: (partitions: ReadonlySet<number>) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Bytes of the file that hold events. What retention frees is used again, the file does not shrink. */
  usedBytes(): number {
    const pages = this.#database.pragma("page_count", { simple: true }) as number;
    const free = this.#database.pragma("freelist_count", { simple: true }) as number;
    return (pages - free) * this.#pageBytes;
  }

  /** One short step of retention. Gives whether there is more to do. */
  retain(): boolean {
    if (this.#closed) return false;
    const byAge = this.#clock.nowMs() - this.#retention.ageMsMax;
    let removed = 0;
    for (const table of this.#tables) {
      if ((table.firstEnqueuedMs() ?? byAge) < byAge) removed += table.removeOldest(RETENTION_STEP_EVENTS_MAX, byAge);
      if (removed >= RETENTION_STEP_EVENTS_MAX) return true;
    }
    return this.#retainBytes() || removed > 0;
  }

  close(): void {
    if (this.#closed) return;
    while (this.#pending.length > 0) this.#commit();
    this.#closed = true;
    clearTimeout(this.#scheduled as NodeJS.Timeout);
    clearImmediate(this.#scheduled as NodeJS.Immediate);
    this.#database.close();
  }

  #table(partition: number): PartitionTable {
    const table = this.#tables[partition];
    if (table === undefined) throw new HubError("ArgumentInvalid", `there is no partition ${partition}`);
    return table;
  }

  #schedule(): void {
    if (this.#scheduled !== undefined) return;
    const commit = (): void => {
      this.#scheduled = undefined;
      this.#commit();
      if (this.#pending.length > 0) this.#schedule();
    };
    this.#scheduled = this.#pendingBytes > GATHER_BYTES_MAX ? setImmediate(commit) : setTimeout(commit, GATHER_MS);
  }

  #commit(): void {
    const batch = this.#takeBatch();
    if (batch.length === 0) return;
    const nowMs = this.#clock.nowMs();
    let placed: { partition: number; sequenceNumber: number }[];
    const beganMs = this.#clock.monotonicMs();
    try {
      placed = this.#write(batch, nowMs);
      this.#failures.recovered();
      this.#watchSpeed(this.#clock.monotonicMs() - beganMs, batch.length);
    } catch (error) {
      this.#failures.failed(error, { events: batch.length });
      const refusal = new HubError("ServiceUnavailable", "the event could not be written to disk", { cause: error });
      for (const { reject } of batch) reject(refusal);
      return;
    }
    batch.forEach(({ resolve }, i) => {
      resolve(placed[i] as { partition: number; sequenceNumber: number });
    });
    const grown = new Set(placed.map(({ partition }) => partition));
    for (const listener of this.#listeners) listener(grown);
    try {
      this.#retainBytes();
    } catch (error) {
      this.#failures.failed(error);
    }
  }

  #watchSpeed(ms: number, events: number): void {
    if (ms < SLOW_COMMIT_MS) this.#slowness.recovered();
    else this.#slowness.failed(new Error(`the disk is slow: a commit took ${Math.round(ms)} ms`), { events });
  }

  #takeBatch(): Pending[] {
    let bytes = 0;
    let count = 0;
    while (count < this.#pending.length && bytes < COMMIT_BYTES_MAX) bytes += this.#pending[count++]?.bytes ?? 0;
    const batch = this.#pending.slice(0, count);
    this.#pending = this.#pending.slice(count);
    this.#pendingBytes -= bytes;
    return batch;
  }

  #write(batch: readonly Pending[], nowMs: number): { partition: number; sequenceNumber: number }[] {
    const counts = new Map<number, number>();
    const placed = this.#database.transaction(() =>
      batch.map(({ event }) => {
        const partition = this.#partitionOf(event);
        const count = counts.get(partition) ?? 0;
        counts.set(partition, count + 1);
        return { partition, sequenceNumber: this.#table(partition).insert(event, count, nowMs) };
      }),
    )();
    for (const [partition, count] of counts) this.#table(partition).committed(count, nowMs);
    return placed;
  }

  #partitionOf(event: NewHubEvent): number {
    if (event.partition !== undefined) return event.partition;
    const key = event.partitionKey ?? event.source?.deviceId;
    return (key === undefined ? this.#roundRobin++ : hashOf(key)) % this.partitions;
  }

  /** As many steps as what was committed needs, whatever the sizes of the events that go are. Gives whether there is more to do. */
  #retainBytes(): boolean {
    for (let step = 0; step < RETENTION_STEPS_MAX; step++) {
      const usedBytes = this.usedBytes();
      const overBytes = usedBytes - this.#retention.bytesMax;
      if (overBytes <= 0) return false;
      const events = this.#tables.reduce((sum, table) => sum + table.count(), 0);
      const count = Math.ceil((overBytes * events) / usedBytes);
      const oldest = this.#tables
        .map((table) => ({ table, ms: table.firstEnqueuedMs() ?? Number.POSITIVE_INFINITY }))
        .reduce((a, b) => (b.ms < a.ms ? b : a));
      const most = Math.min(RETENTION_STEP_EVENTS_MAX, Math.max(RETENTION_STEP_EVENTS_MIN, count));
      if (oldest.table.removeOldest(most, Number.POSITIVE_INFINITY) === 0) return false;
    }
    return true;
  }
}
