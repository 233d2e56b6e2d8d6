import { statSync } from "node:fs";
import Database from "better-sqlite3";
import type { EventType, StoredEvent } from "../../cloud-sync/contract/event.ts";
import type { LedgerRange } from "../../cloud-sync/contract/ledger.ts";
import { BlockStore } from "./block-store.ts";
import { asLogError, openDatabase } from "./database.ts";
import { Epochs } from "./epochs.ts";
import type { LogReader, ReadOptions, StoredBlock } from "./event-log.ts";
import { type LogUsage, usageOf } from "./keep/usage.ts";
import { readLedger } from "./ledger.ts";
import { NewsWatch } from "./news-watch.ts";
import { RareStore } from "./rare-store.ts";
import type { SeriesQuery, SeriesSlice } from "./series.ts";
import { SeriesReader } from "./series-reader.ts";
import { Tail } from "./tail/tail.ts";
import { TailReader } from "./tail/tail-reader.ts";

/** One answer holds at most this many events, whatever was asked for. */
const LIMIT_EVENTS_MAX = 10_000;
const BLOCKS_AT_ONCE = 32;
/** Pages copied between two looks at the event loop. */
const BACKUP_PAGES = 1_000;

export interface LogParts {
  readonly database: Database.Database;
  readonly tail: Tail;
  readonly blocks: BlockStore;
  readonly epochs: Epochs;
}

/** A log whose make-up can be looked at as well as its events. */
export interface ExaminableLog extends LogReader {
  /** Everything that a look at the whole needs, from one snapshot. */
  examine<T>(work: (parts: LogParts) => T): T;
}

/** Reads of the log, from one snapshot each: sealed blocks first, then the tail. The writer extends it on the same connection. */
export class SqliteLogReader implements ExaminableLog {
  readonly path: string;
  protected readonly database: Database.Database;
  protected readonly news: NewsWatch;
  protected readonly tail: Tail;
  protected readonly blocks: BlockStore;
  protected readonly rare: RareStore;
  protected readonly epochs: Epochs;
  readonly #tailReader: TailReader;
  readonly #snapshot: Database.Transaction<(work: () => unknown) => unknown>;

  constructor(database: Database.Database, path: string) {
    this.database = database;
    this.path = path;
    try {
      this.epochs = new Epochs(database);
      this.tail = new Tail(database);
      this.blocks = new BlockStore(database);
      this.rare = new RareStore(this.blocks);
    } catch (error) {
      database.close();
      throw asLogError(error, path);
    }
    this.#tailReader = new TailReader(this.tail, (offset) => this.epochs.of(offset));
    this.#snapshot = database.transaction((work) => work());
    this.news = new NewsWatch(() => this.head());
  }

  get epoch(): string {
    return this.epochs.current;
  }

  /** Runs a read on one snapshot of the file, with the tail brought up to it. */
  protected read<T>(work: () => T): T {
    try {
      return this.#snapshot.deferred(() => {
        this.refresh();
        return work();
      }) as T;
    } catch (error) {
      this.forget();
      throw error instanceof Database.SqliteError ? asLogError(error, this.path) : error;
    }
  }

  protected refresh(): void {
    if (this.tail.refresh()) this.epochs.reload();
  }

  /** What this process keeps in memory of the file may be wrong. */
  protected forget(): void {
    this.tail.forget();
    this.#tailReader.forget();
    this.blocks.forget();
    this.rare.forget();
  }

  head(): number {
    return this.read(() => this.tail.head());
  }

  readAfter(offset: number, options: ReadOptions): StoredEvent[] {
    const limitEvents = limitOf(options);
    const { types } = options;
    const wanted = types === undefined ? undefined : new Set(types);
    return this.read(() => {
      const sealed = offset < this.sealedOffset();
      const found = !sealed
        ? []
        : types !== undefined && !types.includes("telemetry")
          ? this.rare.rareAfter(offset, limitEvents, types)
          : this.#sealedAfter(offset, limitEvents, wanted);
      if (found.length >= limitEvents) return found;
      return [...found, ...this.#tailReader.after(offset, limitEvents - found.length, wanted)];
    });
  }

  protected sealedOffset(): number {
    return (this.tail.chunks[0]?.firstOffset ?? this.tail.head() + 1) - 1;
  }

  #sealedAfter(offset: number, limitEvents: number, wanted: ReadonlySet<EventType> | undefined): StoredEvent[] {
    const found: StoredEvent[] = [];
    const accept = (type: EventType): boolean => wanted === undefined || wanted.has(type);
    for (let from = offset; found.length < limitEvents; ) {
      const group = this.blocks.groupAfter(from, limitEvents - found.length, accept);
      const end = group === undefined ? this.sealedOffset() : this.blocks.groupEnd(from);
      const isCut = group !== undefined && found.length + group.length >= limitEvents;
      const to = isCut ? (group.at(-1)?.offset ?? end) : end;
      const kept = this.rare.keptBetween(from, to).filter(({ type }) => accept(type));
      found.push(...[...(group ?? []), ...kept].sort((a, b) => a.offset - b.offset));
      if (group === undefined) break;
      from = to;
    }
    return found.slice(0, limitEvents);
  }

  readStream(machineId: string, seq: number, options: ReadOptions): StoredEvent[] {
    return this.read(() =>
      this.#ofStream(machineId, { first: seq + 1, last: Number.MAX_SAFE_INTEGER }, limitOf(options), options.types),
    );
  }

  #ofStream(
    machineId: string,
    { first, last }: { readonly first: number; readonly last: number },
    limitEvents: number,
    types: readonly EventType[] | undefined,
    accept: (event: StoredEvent) => boolean = () => true,
  ): StoredEvent[] {
    const wanted = types === undefined ? undefined : new Set(types);
    const isWanted = (event: StoredEvent): boolean => (wanted?.has(event.type) ?? true) && accept(event);
    const onlyRare = wanted !== undefined && !wanted.has("telemetry");
    const ref = this.blocks.machineRef(machineId);
    const found: StoredEvent[] = [];
    if (ref !== undefined) {
      if (onlyRare) {
        found.push(...this.rare.rareOf(ref, { first, last, limitEvents }, types ?? []).filter(isWanted));
      } else {
        this.#sealedStream(ref, { first, last, limitEvents }, isWanted, found);
      }
    }
    const range = { first, last, limitEvents: limitEvents - found.length };
    if (range.limitEvents > 0) found.push(...this.#tailReader.ofMachine(machineId, range, isWanted, onlyRare));
    return found;
  }

  #sealedStream(
    machineRef: number,
    { first, last, limitEvents }: { readonly first: number; readonly last: number; readonly limitEvents: number },
    isWanted: (event: StoredEvent) => boolean,
    found: StoredEvent[],
  ): void {
    const take = (events: readonly StoredEvent[]): void => {
      for (const event of events) if (found.length < limitEvents && isWanted(event)) found.push(event);
    };
    for (let from = first; found.length < limitEvents; ) {
      const metas = this.blocks.ofStream(machineRef, from, last, BLOCKS_AT_ONCE);
      for (const { blockId, firstSeq, lastSeq } of metas) {
        if (firstSeq > from) take(this.rare.keptOf(machineRef, from, firstSeq - 1, limitEvents));
        const start = Math.max(from, firstSeq) - firstSeq;
        // Only as many as may be wanted are made into events; those that are not accepted are made up for by the next turn.
        for (let index = start; index <= Math.min(last, lastSeq) - firstSeq && found.length < limitEvents; ) {
          const end = Math.min(index + limitEvents - found.length, Math.min(last, lastSeq) - firstSeq + 1);
          const block = this.blocks.decoded(blockId);
          take((block && this.blocks.guarded(blockId, () => block.events(index, end))) ?? []);
          index = end;
        }
        from = lastSeq + 1;
        if (found.length >= limitEvents) return;
      }
      if (metas.length < BLOCKS_AT_ONCE) {
        take(this.rare.keptOf(machineRef, from, last, limitEvents));
        return;
      }
    }
  }

  readTime(
    machineId: string,
    fromMs: number,
    toMs: number,
    options: ReadOptions & { afterSeq?: number },
  ): StoredEvent[] {
    const limitEvents = limitOf(options);
    const { types, afterSeq = 0 } = options;
    const accept = ({ timeMs }: StoredEvent): boolean => timeMs >= fromMs && timeMs < toMs;
    return this.read(() => {
      const found: StoredEvent[] = [];
      const ref = this.blocks.machineRef(machineId);
      let sealedSeq = afterSeq;
      if (ref !== undefined) {
        sealedSeq = Math.max(afterSeq, this.blocks.lastSeq(ref));
        const ranges = this.blocks.ofTime(ref, fromMs, toMs, afterSeq).filter(({ state }) => state !== "corrupt");
        for (const { firstSeq, lastSeq } of ranges) {
          const range = { first: Math.max(firstSeq, afterSeq + 1), last: lastSeq };
          if (range.last > sealedSeq) continue;
          found.push(...this.#ofStream(machineId, range, limitEvents - found.length, types, accept));
          if (found.length >= limitEvents) break;
        }
        const kept = this.rare
          .keptOfTime(ref, fromMs, toMs, afterSeq)
          .filter(({ type }) => types === undefined || types.includes(type));
        if (kept.length > 0) {
          const known = new Set(found.map(({ seq }) => seq));
          found.push(...kept.filter(({ seq }) => !known.has(seq)));
          found.sort((a, b) => a.seq - b.seq);
          found.splice(limitEvents);
        }
      }
      const range = { first: sealedSeq + 1, last: Number.MAX_SAFE_INTEGER };
      if (found.length < limitEvents) {
        const wanted = types === undefined ? undefined : new Set(types);
        const isWanted = (event: StoredEvent): boolean => (wanted?.has(event.type) ?? true) && accept(event);
        const onlyRare = wanted !== undefined && !wanted.has("telemetry");
        const rest = { ...range, limitEvents: limitEvents - found.length };
        found.push(...this.#tailReader.ofMachine(machineId, rest, isWanted, onlyRare));
      }
      return found;
    });
  }

  *readSeries(query: SeriesQuery): Generator<SeriesSlice[], void> {
    const reader = new SeriesReader(query, this.tail, this.blocks);
    for (;;) {
      const slices = this.read(() => reader.next());
      if (!slices) return;
      yield slices;
    }
  }

  readBlocks(offset: number, { limitBytes }: { limitBytes: number }): StoredBlock[] {
    return this.read(() =>
      this.blocks
        .storedAfter(offset, limitBytes)
        .map((block) => ({ ...block, epoch: this.epochs.of(block.firstOffset) })),
    );
  }

  latest(machineId: string, type: EventType): StoredEvent | undefined {
    return this.read(() => {
      const inTail = this.#tailReader.newest(machineId, type);
      if (inTail) return inTail;
      const ref = this.blocks.machineRef(machineId);
      if (ref === undefined) return undefined;
      const range = { first: 1, last: Number.MAX_SAFE_INTEGER, limitEvents: 1, newestFirst: true };
      return type === "telemetry" ? this.blocks.newestTelemetry(ref) : this.rare.rareOf(ref, range, [type])[0];
    });
  }

  streams(): { machineId: string; lastSeq: number; firstSeq: number }[] {
    return this.read(() => {
      const firstSeqs = new Map(this.blocks.firstSeqs());
      for (const { sections } of this.tail.chunks) {
        for (const { machineId, firstSeq } of sections)
          if (!firstSeqs.has(machineId)) firstSeqs.set(machineId, firstSeq);
      }
      return [...this.tail.lastSeqs]
        .map(([machineId, lastSeq]) => ({ machineId, lastSeq, firstSeq: firstSeqs.get(machineId) ?? lastSeq + 1 }))
        .sort((a, b) => (a.machineId < b.machineId ? -1 : 1));
    });
  }

  cursor(name: string): number {
    return (
      (this.blocks.statement("SELECT offset FROM cursor WHERE name = ?").pluck().get(name) as number | undefined) ?? 0
    );
  }

  cursors(): { name: string; offset: number; updatedMs: number }[] {
    return this.blocks.statement("SELECT name, offset, updated_ms AS updatedMs FROM cursor ORDER BY name").all() as {
      name: string;
      offset: number;
      updatedMs: number;
    }[];
  }

  waitPast(offset: number, signal: AbortSignal): Promise<boolean> {
    return this.news.waitPast(offset, signal);
  }

  ledger(machineId?: string): LedgerRange[] {
    return this.read(() => readLedger(this.database, this.tail, this.epochs, machineId));
  }

  usage(): LogUsage {
    return usageOf(this.database, this.path);
  }

  sizeBytes(): number {
    return [this.path, `${this.path}-wal`].reduce(
      (sum, path) => sum + (statSync(path, { throwIfNoEntry: false })?.size ?? 0),
      0,
    );
  }

  /**
   * Copies the log as it is at one moment into a new file, while others go on writing.
   * @throws EdgeError LOG_FULL, LOG_UNAVAILABLE
   */
  async backUp(target: string, progress?: (share: number) => void): Promise<void> {
    // One snapshot for all of it: without, SQLite would begin anew whenever another process has committed meanwhile.
    this.database.exec("BEGIN");
    try {
      this.head();
      await this.database.backup(target, {
        progress: ({ totalPages, remainingPages }) => {
          progress?.(totalPages === 0 ? 1 : 1 - remainingPages / totalPages);
          return BACKUP_PAGES;
        },
      });
    } catch (error) {
      throw asLogError(error, target);
    } finally {
      this.database.exec("ROLLBACK");
    }
  }

  examine<T>(work: (parts: LogParts) => T): T {
    const { database, tail, blocks, epochs } = this;
    return this.read(() => work({ database, tail, blocks, epochs }));
  }

  close(): void {
    this.news.close();
    this.blocks.forget();
    this.database.close();
  }
}

function limitOf({ limitEvents }: { limitEvents: number }): number {
  return Math.max(0, Math.min(limitEvents, LIMIT_EVENTS_MAX));
}

/**
 * Opens an existing log for reading, also while other processes write it.
 * @throws EdgeError LOG_UNAVAILABLE, LOG_VERSION, LOG_CORRUPT
 */
export function openLogReader(path: string): SqliteLogReader {
  const database = openDatabase(path, { readonly: true });
  try {
    return new SqliteLogReader(database, path);
  } catch (error) {
    database.close();
    throw asLogError(error, path);
  }
}
