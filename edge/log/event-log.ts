import type { EventType, NewEvent, StoredEvent } from "../../cloud-sync/contract/event.ts";

/** Reading side of the log, which is also open to other processes on the same file. Reads are synchronous and bounded. */
export interface LogReader {
  readonly path: string;
  /** Names this log file's life; a recreated log has another. */
  readonly epoch: string;
  /** Offset of the newest durable event, 0 when there is none. */
  head(): number;
  /** Events with offset > `offset`, ascending, at most `limitEvents`; only `types` when given. */
  readAfter(offset: number, options: { limitEvents: number; types?: readonly EventType[] }): StoredEvent[];
  /** One machine's events with seq > `seq`, ascending. */
  readStream(
    machineId: string,
    seq: number,
    options: { limitEvents: number; types?: readonly EventType[] },
  ): StoredEvent[];
  /** One machine's events appended in the whole minutes (of this box's clock) that [fromMs, toMs) touches, ascending by seq, after `afterSeq`. */
  readTime(
    machineId: string,
    fromMs: number,
    toMs: number,
    options: { limitEvents: number; afterSeq?: number; types?: readonly EventType[] },
  ): StoredEvent[];
  /** The newest event of a type in a stream, or undefined. */
  latest(machineId: string, type: EventType): StoredEvent | undefined;
  /** Every stream of the log (machines and "<site>/edge") with its newest seq, by machineId. */
  streams(): { machineId: string; lastSeq: number; firstSeq: number }[];
  /** Where a consumer stands; 0 for one never seen. */
  cursor(name: string): number;
  cursors(): { name: string; offset: number; updatedMs: number }[];
  /** Resolves true as soon as the head is past `offset`, also when another process appended (≤ 100 ms); false on abort. */
  waitPast(offset: number, signal: AbortSignal): Promise<boolean>;
  sizeBytes(): number;
  close(): void;
}

export interface EventLog extends LogReader {
  /**
   * Resolves, with the last offset, when all are durable (WAL, synchronous=FULL); rejects when none is. "grouped" waits up to
   * `commitIntervalMs` for company, "now" commits at once together with all that waits.
   * @throws EdgeError LOG_FULL, LOG_UNAVAILABLE (try again), LOG_CLOSED
   */
  append(events: readonly NewEvent[], commit?: "grouped" | "now"): Promise<number>;
  /** Durable when it returns. */
  saveCursor(name: string, offset: number): void;
  /** Commits what waits, then closes. */
  close(): void;
}
