import type { EventType, StoredEvent } from "../../cloud-sync/contract/event.ts";
import type { LedgerRange } from "../../cloud-sync/contract/ledger.ts";
import type { LogReader, ReadOptions, StoredBlock } from "./event-log.ts";
import type { LogUsage } from "./keep/usage.ts";
import type { SeriesQuery, SeriesSlice } from "./series.ts";

/** One wait on a file that may have been replaced meanwhile. */
const LOOK_MS = 1_000;

/** A log whose file may be replaced under it: every call goes to the reader of the file that is there now. */
export abstract class LogFacade implements LogReader {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  protected abstract get inner(): LogReader;

  get epoch(): string {
    return this.inner.epoch;
  }

  head(): number {
    return this.inner.head();
  }

  readAfter(offset: number, options: ReadOptions): StoredEvent[] {
    return this.inner.readAfter(offset, options);
  }

  readStream(machineId: string, seq: number, options: ReadOptions): StoredEvent[] {
    return this.inner.readStream(machineId, seq, options);
  }

  readTime(
    machineId: string,
    fromMs: number,
    toMs: number,
    options: ReadOptions & { afterSeq?: number },
  ): StoredEvent[] {
    return this.inner.readTime(machineId, fromMs, toMs, options);
  }

  readSeries(query: SeriesQuery): Generator<SeriesSlice[], void> {
    return this.inner.readSeries(query);
  }

  readBlocks(offset: number, options: { limitBytes: number }): StoredBlock[] {
    return this.inner.readBlocks(offset, options);
  }

  latest(machineId: string, type: EventType): StoredEvent | undefined {
    return this.inner.latest(machineId, type);
  }

  streams(): { machineId: string; lastSeq: number; firstSeq: number }[] {
    return this.inner.streams();
  }

  ledger(machineId?: string): LedgerRange[] {
    return this.inner.ledger(machineId);
  }

  cursor(name: string): number {
    return this.inner.cursor(name);
  }

  cursors(): { name: string; offset: number; updatedMs: number }[] {
    return this.inner.cursors();
  }

  usage(): LogUsage {
    return this.inner.usage();
  }

  sizeBytes(): number {
    return this.inner.sizeBytes();
  }

  async waitPast(offset: number, signal: AbortSignal): Promise<boolean> {
    while (!signal.aborted) {
      const { inner } = this;
      if (await inner.waitPast(offset, AbortSignal.any([signal, AbortSignal.timeout(LOOK_MS)]))) return true;
      if (inner === this.inner && this.isClosed) return false;
    }
    return false;
  }

  protected abstract get isClosed(): boolean;
  abstract close(): void;
}
