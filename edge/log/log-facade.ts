import { setTimeout as delay } from "node:timers/promises";
import type { EventType, StoredEvent } from "../../cloud-sync/contract/event.ts";
import type { LedgerRange } from "../../cloud-sync/contract/ledger.ts";
import type { LogReader, ReadOptions, StoredBlock } from "./event-log.ts";
import type { LogUsage } from "./keep/usage.ts";
import type { ExaminableLog, LogParts } from "./reader.ts";
import type { SeriesQuery, SeriesSlice } from "./series.ts";

/** One wait on a file that may have been replaced meanwhile. */
const LOOK_MS = 1_000;

/** A log whose file may be replaced under it: every call goes to the reader of the file that is there now. */
export abstract class LogFacade implements ExaminableLog {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  protected abstract get inner(): ExaminableLog;

  get epoch(): string {
    return this.inner.epoch;
  }

  head(): number {
    return this.#try((log) => log.head());
  }

  readAfter(offset: number, options: ReadOptions): StoredEvent[] {
    return this.#try((log) => log.readAfter(offset, options));
  }

  readStream(machineId: string, seq: number, options: ReadOptions): StoredEvent[] {
    return this.#try((log) => log.readStream(machineId, seq, options));
  }

  readTime(
    machineId: string,
    fromMs: number,
    toMs: number,
    options: ReadOptions & { afterSeq?: number },
  ): StoredEvent[] {
    return this.#try((log) => log.readTime(machineId, fromMs, toMs, options));
  }

  readSeries(query: SeriesQuery): Generator<SeriesSlice[], void> {
    return this.inner.readSeries(query);
  }

  readBlocks(offset: number, options: { limitBytes: number }): StoredBlock[] {
    return this.#try((log) => log.readBlocks(offset, options));
  }

  latest(machineId: string, type: EventType): StoredEvent | undefined {
    return this.#try((log) => log.latest(machineId, type));
  }

  streams(): { machineId: string; lastSeq: number; firstSeq: number }[] {
    return this.#try((log) => log.streams());
  }

  ledger(machineId?: string): LedgerRange[] {
    return this.#try((log) => log.ledger(machineId));
  }

  cursor(name: string): number {
    return this.#try((log) => log.cursor(name));
  }

  cursors(): { name: string; offset: number; updatedMs: number }[] {
    return this.#try((log) => log.cursors());
  }

  usage(): LogUsage {
    return this.#try((log) => log.usage());
  }

  sizeBytes(): number {
    return this.#try((log) => log.sizeBytes());
  }

  examine<T>(work: (parts: LogParts) => T): T {
    return this.#try((log) => log.examine(work));
  }

  async waitPast(offset: number, signal: AbortSignal): Promise<boolean> {
    while (!signal.aborted) {
      const { inner } = this;
      try {
        if (await inner.waitPast(offset, AbortSignal.any([signal, AbortSignal.timeout(LOOK_MS)]))) return true;
        if (inner === this.inner && this.isClosed) return false;
      } catch (error) {
        if (this.recovers(error, inner)) continue;
        // Between the damage and the new file.
        await delay(LOOK_MS, undefined, { signal }).catch(() => undefined);
        if (!this.recovers(error, inner)) throw error;
      }
    }
    return false;
  }

  #try<T>(work: (log: ExaminableLog) => T): T {
    const { inner } = this;
    try {
      return work(inner);
    } catch (error) {
      if (!this.recovers(error, inner)) throw error;
      return work(this.inner);
    }
  }

  /** True when another file has taken the place of the one that `failed` reads, so that it is worth trying again. */
  protected abstract recovers(error: unknown, failed: LogReader): boolean;

  protected abstract get isClosed(): boolean;
  abstract close(): void;
}
