import type { EventType, NewEvent, StoredEvent } from "../../cloud-sync/contract/event.ts";
import type { LedgerRange } from "../../cloud-sync/contract/ledger.ts";
import type { LogUsage } from "./keep/usage.ts";
import type { SeriesQuery, SeriesSlice } from "./series.ts";

export interface ReadOptions {
  /** At most this many events, and never more than 10,000. */
  readonly limitEvents: number;
  /** Only these; without telemetry the read costs nothing of the telemetry between. */
  readonly types?: readonly EventType[];
}

/** A block as it is stored, which is as it is sent. */
export interface StoredBlock {
  readonly machineId: string;
  readonly firstSeq: number;
  readonly lastSeq: number;
  readonly firstOffset: number;
  readonly lastOffset: number;
  readonly samples: number;
  /** The block, verified; undefined when it was thinned. */
  readonly bytes: Buffer | undefined;
  /** What is left of a thinned one (cloud-sync/contract/rollup/rollup.ts). */
  readonly rollup: Buffer | undefined;
  readonly epoch: string;
  /** Names of the signals by their numbers in the roll-up; empty for a whole block. */
  readonly signalNames: readonly string[];
}

/** Reading side of the log, which is also open to other processes on the same file. Reads are synchronous and bounded. */
export interface LogReader {
  readonly path: string;
  /** Names this log file's life; a recreated or restored log has another, and so has one that lost numbers it had given out. */
  readonly epoch: string;
  /** Offset of the newest durable event, 0 when there is none. */
  head(): number;
  /** Events with offset > `offset`, ascending, at most `limitEvents`; only `types` when given. */
  readAfter(offset: number, options: ReadOptions): StoredEvent[];
  /** One machine's events with seq > `seq`, ascending. */
  readStream(machineId: string, seq: number, options: ReadOptions): StoredEvent[];
  /** One machine's events with fromMs ≤ timeMs < toMs, ascending by seq (not by time: a clock may jump), after `afterSeq`. */
  readTime(
    machineId: string,
    fromMs: number,
    toMs: number,
    options: ReadOptions & { afterSeq?: number },
  ): StoredEvent[];
  /**
   * Lines of signals by received time, in the order of the stream, a piece of a few milliseconds' work at a time; another
   * piece may see later appends. Blocks that are thinned give their aggregates, damaged ones nothing.
   */
  readSeries(query: SeriesQuery): Generator<SeriesSlice[], void>;
  /**
   * Sealed blocks that end past `offset`, in the order of their last offset, which is the cursor of who takes them: at most
   * `limitBytes` of them (but one at least), 256 at the most. Damaged blocks are left out, and recorded by the keeper.
   */
  readBlocks(offset: number, options: { limitBytes: number }): StoredBlock[];
  /** The newest event of a type in a stream, or undefined. */
  latest(machineId: string, type: EventType): StoredEvent | undefined;
  /** Every stream of the log (machines and "<site>/edge") with its newest seq, by machineId. */
  streams(): { machineId: string; lastSeq: number; firstSeq: number }[];
  /** Where a consumer stands; 0 for one never seen. */
  cursor(name: string): number;
  cursors(): { name: string; offset: number; updatedMs: number }[];
  /** Resolves true as soon as the head is past `offset`, also when another process appended (≤ 100 ms); false on abort. */
  waitPast(offset: number, signal: AbortSignal): Promise<boolean>;
  /** What became of every seq that was given out, by machine and seq; of one machine when it is named. */
  ledger(machineId?: string): LedgerRange[];
  usage(): LogUsage;
  sizeBytes(): number;
  close(): void;
}

/** Places in the log's work at which it may fail or die: before, within and after a transaction. */
export type LogStep =
  | "append"
  | "appending"
  | "appended"
  | "close"
  | "seal"
  | "sealing"
  | "sealed"
  | "shed"
  | "shedding"
  | "shed-done"
  | "checkpoint"
  | "checkpointed";

export interface EventLog extends LogReader {
  /**
   * Resolves, with the last offset, when all are durable (WAL, synchronous=FULL); rejects when none is. "grouped" waits up to
   * `commitIntervalMs` for company, "now" commits at once together with all that waits.
   * @throws EdgeError LOG_FULL, LOG_UNAVAILABLE, LOG_CORRUPT (try again), LOG_CLOSED, EVENT_INVALID
   */
  append(events: readonly NewEvent[], commit?: "grouped" | "now"): Promise<number>;
  /** Durable when it returns. */
  saveCursor(name: string, offset: number): void;
  /** Seals all that is there now. @throws EdgeError LOG_FULL, LOG_UNAVAILABLE: nothing has changed */
  seal(): void;
  /**
   * One bounded piece of the work that keeps the log in order: clock, sealing, quota and age, space given back, damage.
   * True while there is more to do at once. One process of those that share a file does it (keep/keeper.ts), which seals
   * by `sealAside` and leaves it out here.
   * @throws EdgeError LOG_FULL, LOG_UNAVAILABLE, LOG_CORRUPT: nothing has changed, and it may be called again
   */
  maintain(seals?: boolean): boolean;
  /** Whether so much waits, or for so long, that it should be sealed. */
  isSealDue(): boolean;
  /**
   * Seals what waits, the encoding in a thread of its own, appends going on meanwhile. Ends without a change on abort.
   * @throws EdgeError LOG_FULL, LOG_UNAVAILABLE: nothing has changed, and it may be called again
   */
  sealAside(signal: AbortSignal): Promise<void>;
  /** Commits what waits, then closes. */
  close(): void;
}
