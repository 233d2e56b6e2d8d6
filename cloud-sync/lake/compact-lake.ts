import { open, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Logger } from "pino";
import { EdgeError, messageOf } from "../../edge/kernel/errors.ts";
import type { Database } from "../database/database.ts";
import type { StagedFile } from "./batch-files.ts";
import type { LakeKind } from "./columns.ts";
import { DuckDb } from "./duck-db.ts";
import { LakeCatalog, type LakeFile, LOCKS } from "./lake-catalog.ts";
import { LakeCommit } from "./lake-commit.ts";
import { LakeLock } from "./lake-lock.ts";
import { sqlText } from "./lake-session.ts";
import { GROUP_ROWS_MAX } from "./parquet/row-sink.ts";
import { folderOf } from "./partition.ts";
import type { LakeFiles } from "./place/lake-files.ts";
import { filesOf, type LakePlace } from "./place/place.ts";

export interface CompactOptions {
  readonly database: Database;
  readonly place: LakePlace | LakeFiles;
  readonly logger: Logger;
  readonly signal: AbortSignal;
  /** Of DuckDB; what does not fit is sorted on the disk. */
  readonly memoryMb?: number;
  /** Files that were replaced stay so long for those who read them. */
  readonly graceMs?: number;
  /** A partition with fewer small files is left as it is. */
  readonly filesMin?: number;
}

export interface Compaction {
  /** Partitions that were merged, and what they were and are. */
  readonly partitions: number;
  readonly filesBefore: number;
  readonly filesAfter: number;
  readonly bytesBefore: number;
  readonly bytesAfter: number;
  readonly rows: number;
  /** Merges that were not done, for they would take more memory than allowed. */
  readonly tooLarge: number;
  /** Files of earlier merges that were taken away. */
  readonly removed: number;
}

const MEMORY_MB = 512;
const GRACE_MS = 600_000;
const FILES_MIN = 2;
/** A file of this size is large enough. */
const LARGE_BYTES = 64 * 2 ** 20;
/** Of one merge: what DuckDB sorts on the disk, at about 100 bytes a row. */
const MERGE_ROWS_MAX = 30_000_000;
const MERGE_BYTES_MAX = 256 * 2 ** 20;
const SPILL_MB = 16_384;
const LEVEL = 9;

/** A machine's hour lies together; in it by signal, then time. */
const ORDER: Readonly<Record<LakeKind, string>> = {
  readings: "machine_id, date_trunc('hour', time), signal, time, epoch, seq",
  events: "machine_id, time, epoch, seq",
  rollups: "machine_id, signal, time, epoch, first_seq",
};

/** Of events fewer, for their texts may be long. */
const GROUP_ROWS: Readonly<Record<LakeKind, number>> = {
  readings: GROUP_ROWS_MAX,
  events: 8_192,
  rollups: GROUP_ROWS_MAX,
};

/**
 * Merges a partition's small files into large ones, sorted. For readers it happens at once, with the manifest; what was merged is taken away
 * after a grace, until when a reader without the manifest would see its rows twice. Killed anywhere, it has happened or not.
 * A merge that would be larger than its bounds is not begun.
 * @throws EdgeError LAKE_UNAVAILABLE when another process is at it; DATABASE_UNAVAILABLE
 */
export async function compactLake(options: CompactOptions): Promise<Compaction> {
  const { database, signal, graceMs = GRACE_MS } = options;
  await using lock = await LakeLock.tryTake(database, LOCKS.compaction);
  if (lock === undefined)
    throw new EdgeError("LAKE_UNAVAILABLE", "another process is merging the lake's files", {
      hint: "Let it finish; the cloud side does so by itself now and then.",
    });
  const compactor = new Compactor(options);
  await compactor.commit.recover(signal);
  const totals = { partitions: 0, filesBefore: 0, filesAfter: 0, bytesBefore: 0, bytesAfter: 0, rows: 0, tooLarge: 0 };
  for (const group of compactor.groups(await compactor.catalog.files())) {
    signal.throwIfAborted();
    lock.check();
    const merged = await compactor.merge(group);
    if (merged === undefined) {
      totals.tooLarge++;
      continue;
    }
    totals.partitions++;
    totals.filesBefore += group.length;
    totals.filesAfter++;
    totals.bytesBefore += group.reduce((sum, { bytes }) => sum + bytes, 0);
    totals.bytesAfter += merged.bytes;
    totals.rows += merged.rows;
  }
  const removed = await compactor.commit.removeReplaced(graceMs, signal);
  return { ...totals, removed };
}

class Compactor {
  readonly catalog: LakeCatalog;
  readonly commit: LakeCommit;
  readonly #files: LakeFiles;
  readonly #options: CompactOptions;

  constructor(options: CompactOptions) {
    this.#options = options;
    this.#files = "put" in options.place ? options.place : filesOf(options.place);
    this.catalog = new LakeCatalog(options.database);
    this.commit = new LakeCommit(this.catalog, this.#files, "compaction");
  }

  /** What is to be merged into one file each. */
  groups(files: readonly LakeFile[]): LakeFile[][] {
    const small = files.filter(({ bytes }) => bytes < LARGE_BYTES);
    const partitions = Map.groupBy(small, ({ kind, factoryId, day }) => JSON.stringify([kind, factoryId, day]));
    const filesMin = Math.max(2, this.#options.filesMin ?? FILES_MIN);
    return [...partitions.values()].flatMap(mergesOf).filter((group) => group.length >= filesMin);
  }

  /** undefined when it would take more memory than it may have: then all is as it was. */
  async merge(group: readonly LakeFile[]): Promise<StagedFile | undefined> {
    const { kind, factoryId, day } = group[0] as LakeFile;
    const partition = { kind, factoryId, day: day ?? undefined };
    const { signal, logger } = this.#options;
    const stage = await this.commit.stage();
    const localPath = join(stage.folder, "0.parquet");
    const rows = group.reduce((sum, file) => sum + file.rows, 0);
    try {
      await this.#mergeInto(localPath, group, rows);
    } catch (error) {
      await rm(stage.folder, { recursive: true, force: true });
      if (!/out of memory/i.test(messageOf(error))) throw error;
      logger.warn(
        { folder: folderOf(partition), files: group.length, rows },
        "too large to be merged in the memory allowed",
      );
      return undefined;
    }
    const file: StagedFile = {
      ...partition,
      localPath,
      path: `${folderOf(partition)}/${stage.id}.parquet`,
      rows,
      bytes: await syncedBytes(localPath),
      minMs: extreme(group, ({ minMs }) => minMs, Math.min),
      maxMs: extreme(group, ({ maxMs }) => maxMs, Math.max),
    };
    const replaced = group.map(({ path }) => path);
    await this.commit.publish(stage, [file], () => this.catalog.replace(stage.id, [file], replaced), signal);
    logger.debug({ path: file.path, files: group.length, rows, bytes: file.bytes }, "merged");
    return file;
  }

  async #mergeInto(localPath: string, group: readonly LakeFile[], rows: number): Promise<void> {
    const { signal, memoryMb = MEMORY_MB } = this.#options;
    const { kind } = group[0] as LakeFile;
    const local = await this.#files.local(group, signal);
    try {
      const paths = local.paths.map((path, i) => path ?? lost(group[i] as LakeFile));
      await using duckDb = await DuckDb.open({ memoryMb, threads: 1, spillMb: SPILL_MB });
      const { connection } = duckDb;
      // Without dictionaries, for DuckDB's take -0 and 0 for the same; plain is smaller for readings, too.
      await connection.run(`COPY (SELECT * FROM read_parquet([${paths.map(sqlText).join(", ")}], hive_partitioning = false)
        ORDER BY ${ORDER[kind]}) TO ${sqlText(localPath)} (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL ${LEVEL},
        PARQUET_VERSION V1, DICTIONARY_SIZE_LIMIT 0, ROW_GROUP_SIZE ${GROUP_ROWS[kind]})`);
      const written = await connection.runAndReadAll(
        `SELECT num_rows::DOUBLE FROM parquet_file_metadata(${sqlText(localPath)})`,
      );
      if (written.getRows()[0]?.[0] !== rows)
        throw new EdgeError("LAKE_UNAVAILABLE", `${rows} rows of ${group.length} files became another number`, {
          hint: `Nothing was changed. Look at the files beside ${(group[0] as LakeFile).path}.`,
        });
    } finally {
      local.done();
    }
  }
}

async function syncedBytes(path: string): Promise<number> {
  await using file = await open(path, "r+");
  await file.sync();
  return (await file.stat()).size;
}

/** Runs of a partition's files, by time, that may be merged at once. */
function mergesOf(files: readonly LakeFile[]): LakeFile[][] {
  const merges: LakeFile[][] = [];
  let merge: LakeFile[] = [];
  let [rows, bytes] = [0, 0];
  for (const file of files.toSorted((a, b) => (a.minMs ?? 0) - (b.minMs ?? 0) || (a.path < b.path ? -1 : 1))) {
    if (rows + file.rows > MERGE_ROWS_MAX || bytes + file.bytes > MERGE_BYTES_MAX) {
      merges.push(merge);
      merge = [];
      [rows, bytes] = [0, 0];
    }
    merge.push(file);
    rows += file.rows;
    bytes += file.bytes;
  }
  return [...merges, merge];
}

function extreme(
  files: readonly LakeFile[],
  pick: (file: LakeFile) => number | null,
  best: (...values: number[]) => number,
): number | undefined {
  const known = files.map(pick).filter((value) => value !== null);
  return known.length === 0 ? undefined : best(...known);
}

function lost(file: LakeFile): never {
  throw new EdgeError("LAKE_UNAVAILABLE", `${file.path} is not in the lake`, {
    hint: "Bring the file back from a copy.",
  });
}
