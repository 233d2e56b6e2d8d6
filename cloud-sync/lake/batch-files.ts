import { join } from "node:path";
import type { LakeKind } from "./columns.ts";
import { instantOf, LAKE_COLUMNS } from "./columns.ts";
import { RowSink } from "./parquet/row-sink.ts";
import { DAY_MAX, DAY_MIN, dayOf, folderOf, type LakePartition } from "./partition.ts";

/** A file that is written and safe on the disk, not yet in the lake. */
export interface StagedFile extends LakePartition {
  /** In the lake, with "/". */
  readonly path: string;
  /** On this machine. */
  readonly localPath: string;
  readonly rows: number;
  readonly bytes: number;
  /** UTC epoch ms of the earliest and latest row; undefined when none has a time. */
  readonly minMs: number | undefined;
  readonly maxMs: number | undefined;
}

/** Of one kind and factory in one batch; rows of further days go together into the partition of no day, where `time` still tells theirs. */
const DAYS_MAX = 64;
/** Rows that wait in memory for their row group to be full, over all open files: at about 100 bytes each. */
const OPEN_ROWS_MAX = 750_000;

export interface Sink extends RowSink {
  noteTime(timeMs: number | undefined): void;
}

class DaySink extends RowSink {
  readonly partition: LakePartition;
  minMs: number | undefined;
  maxMs: number | undefined;

  constructor(path: string, partition: LakePartition, level: number) {
    super(path, LAKE_COLUMNS[partition.kind], level);
    this.partition = partition;
  }

  noteTime(timeMs: number | undefined): void {
    if (timeMs === undefined) return;
    if (this.minMs === undefined || timeMs < this.minMs) this.minMs = timeMs;
    if (this.maxMs === undefined || timeMs > this.maxMs) this.maxMs = timeMs;
  }
}

/** The files that a batch becomes: one for each kind, factory and day, first in a folder of this machine. */
export class BatchFiles {
  readonly #folder: string;
  readonly #name: string;
  readonly #level: number;
  readonly #open = new Map<string, DaySink>();
  readonly #done: StagedFile[] = [];
  #made = 0;

  /**
   * @param folder of this machine, where nothing else is
   * @param name of the batch, different from all others: the files' names begin with it
   */
  constructor({ folder, name, level }: { folder: string; name: string; level: number }) {
    this.#folder = folder;
    this.#name = name;
    this.#level = level;
  }

  /** Where the rows of this time go. */
  sink(kind: LakeKind, factoryId: string, timeMs: number): Sink {
    const instant = instantOf(timeMs);
    const day = instant === undefined ? undefined : dayOf(instant);
    const known = day !== undefined && day >= DAY_MIN && day <= DAY_MAX ? day : undefined;
    return this.#open.get(`${kind} ${known}`) ?? this.#make(kind, factoryId, known);
  }

  #make(kind: LakeKind, factoryId: string, day: number | undefined): DaySink {
    const none = this.#open.get(`${kind} undefined`);
    if (this.#open.size >= DAYS_MAX && day !== undefined) return none ?? this.#make(kind, factoryId, undefined);
    const local = join(this.#folder, `${this.#made++}.parquet`);
    const sink = new DaySink(local, { kind, factoryId, day }, this.#level);
    this.#open.set(`${kind} ${day}`, sink);
    return sink;
  }

  /** Whether so many rows wait in memory, of many days, that `settle` is due. To be asked after every run of rows. */
  isFull(): boolean {
    let rows = 0;
    for (const sink of this.#open.values()) rows += sink.rows;
    return rows >= OPEN_ROWS_MAX;
  }

  /** Writes what waits, where it makes a row group of at least so many rows. */
  async settle(rowsMin = 0): Promise<void> {
    for (const sink of this.#open.values()) if (sink.rows >= rowsMin) await sink.flush();
  }

  /** Ends the files of a factory. */
  async endFactory(): Promise<void> {
    for (const sink of this.#open.values()) {
      const { partition, minMs, maxMs, path: localPath } = sink;
      const written = await sink.finish();
      if (written === undefined) continue;
      const path = `${folderOf(partition)}/${this.#name}-${this.#done.length}.parquet`;
      this.#done.push({ ...partition, path, localPath, ...written, minMs, maxMs });
    }
    this.#open.clear();
  }

  /** All files, complete. */
  files(): readonly StagedFile[] {
    return this.#done;
  }

  /** Closes what is open, unfinished. */
  async abandon(): Promise<void> {
    for (const sink of this.#open.values()) await sink.abandon();
    this.#open.clear();
  }
}
