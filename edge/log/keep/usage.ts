import { statfsSync, statSync } from "node:fs";
import { dirname } from "node:path";
import type Database from "better-sqlite3";

export interface LogUsage {
  /** What counts against the quota: pages in use and the write-ahead log. */
  readonly usedBytes: number;
  /** On the disk now: the file with its free pages, and the write-ahead log. */
  readonly fileBytes: number;
  readonly walBytes: number;
  /** Pages that are free within the file. */
  readonly freeBytes: number;
  /** What other programs and we may still write to the file's disk. */
  readonly diskFreeBytes: number;
  /** The size of that disk. */
  readonly diskBytes: number;
}

export function usageOf(database: Database.Database, path: string): LogUsage {
  const pragma = (name: string): number => database.pragma(name, { simple: true }) as number;
  const pageBytes = pragma("page_size");
  const freeBytes = pragma("freelist_count") * pageBytes;
  const databaseBytes = pragma("page_count") * pageBytes;
  const walBytes = statSync(`${path}-wal`, { throwIfNoEntry: false })?.size ?? 0;
  const disk = statfsSync(dirname(path));
  return {
    usedBytes: databaseBytes - freeBytes + walBytes,
    fileBytes: databaseBytes + walBytes,
    walBytes,
    freeBytes,
    diskFreeBytes: disk.bavail * disk.bsize,
    diskBytes: disk.blocks * disk.bsize,
  };
}
