import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import Database from "better-sqlite3";
import { expect } from "vitest";
import { type CarvedRecord, type CarveOptions, type Carving, carveRecords } from "../../edge/log/recovery/carve.ts";
import type { StoredValue } from "../../edge/log/recovery/record-format.ts";
import { tempFolder } from "./temp-folder.ts";

// Real databases to carve records from, and what should be found in them.

export const MARK = "a row of ours";
export const SIZES_BYTES = [10, 50, 4_000, 200, 4_060, 4_061, 900, 20_000, 33, 300_000, 70, 1_500, 120];

/** A row as carving should give it; the rowid's own column is stored as null. */
export function valuesOf(rowid: number): StoredValue[] {
  const data = Buffer.alloc(
    SIZES_BYTES[rowid % SIZES_BYTES.length] ?? 0,
    createHash("sha256").update(`${rowid}`).digest(),
  );
  const integers = [0, 1, -5, 300, -70_000, 2 ** 40, -(2n ** 62n), 2n ** 63n - 1n];
  return [null, MARK, integers[rowid % 8] ?? null, rowid / 8, rowid % 5 === 0 ? null : `Größe ${rowid} ✓`, data];
}

export interface Made {
  readonly path: string;
  readonly pageSizeBytes: number;
  /** For each row the pages that hold it, as SQLite's own dbstat table tells. */
  readonly pagesOfRow: ReadonlyMap<number, Set<number>>;
}

export function make(options: { rows?: number; pageSizeBytes?: number } = {}): Made {
  const { rows = 120, pageSizeBytes = 4_096 } = options;
  const path = join(tempFolder(), "made.db");
  const database = openNew(path, pageSizeBytes);
  const other = database.prepare("INSERT INTO other (name, data) VALUES (?, ?)");
  insertRows(database, 1, rows);
  for (let n = 0; n < 50; n++) other.run(`name ${n}`, Buffer.alloc(700, n));
  database.pragma("wal_checkpoint(TRUNCATE)");
  const pagesOfRow = pagesOfRows(database);
  database.close();
  expect(pagesOfRow.size).toBe(rows);
  return { path, pageSizeBytes, pagesOfRow };
}

export function openNew(path: string, pageSizeBytes = 4_096): Database.Database {
  const database = new Database(path);
  database.pragma(`page_size = ${pageSizeBytes}`);
  database.pragma("journal_mode = WAL");
  database.pragma("wal_autocheckpoint = 0");
  database.exec(`
    CREATE TABLE row (id INTEGER PRIMARY KEY, mark TEXT, number INTEGER, real REAL, text TEXT, data BLOB);
    CREATE INDEX row_text ON row (text);
    CREATE TABLE other (name TEXT PRIMARY KEY, data BLOB) WITHOUT ROWID`);
  return database;
}

export function insertRows(database: Database.Database, from: number, to: number): void {
  const insert = database.prepare("INSERT INTO row VALUES (?, ?, ?, ?, ?, ?)");
  database.transaction(() => {
    for (let id = from; id <= to; id++) insert.run(id, ...valuesOf(id).slice(1));
  })();
}

export function pagesOfRows(database: Database.Database): Map<number, Set<number>> {
  const stat = database.prepare("SELECT path, pageno, pagetype, ncell FROM dbstat WHERE name = 'row' ORDER BY path");
  const pages = stat.all() as { path: string; pageno: number; pagetype: string; ncell: number }[];
  const rowids = database.prepare("SELECT id FROM row ORDER BY id").pluck().all() as number[];
  const rowOfCell = new Map<string, number>();
  const found = new Map<number, Set<number>>();
  let n = 0;
  for (const leaf of pages.filter(({ pagetype }) => pagetype === "leaf"))
    for (let cell = 0; cell < leaf.ncell; cell++) {
      const rowid = rowids[n++] ?? 0;
      rowOfCell.set(`${leaf.path}${cell.toString(16).padStart(3, "0")}`, rowid);
      found.set(rowid, new Set([leaf.pageno]));
    }
  for (const { path, pageno } of pages.filter(({ pagetype }) => pagetype === "overflow"))
    found.get(rowOfCell.get(path.split("+")[0] ?? "") ?? 0)?.add(pageno);
  return found;
}

export function isOurs({ values }: CarvedRecord): boolean {
  return values.length === 6 && values[1] === MARK;
}

export function carve(path: string, options?: CarveOptions): { rows: Map<number, CarvedRecord[]>; carving: Carving } {
  const carving = carveRecords(path, options);
  const rows = new Map<number, CarvedRecord[]>();
  for (const record of carving)
    if (isOurs(record)) rows.set(Number(record.rowid), [...(rows.get(Number(record.rowid)) ?? []), record]);
  return { rows, carving };
}

/** Compared without the test runner's own, slow, way with large buffers. */
export function isRow({ values }: CarvedRecord, rowid: number): boolean {
  return isDeepStrictEqual(values, valuesOf(rowid));
}

/** Database and WAL as a crash would leave them now, in a new folder. */
export function copyOf(database: Database.Database, folder: string): string {
  mkdirSync(folder);
  const path = join(folder, "copy.db");
  writeFileSync(path, readFileSync(database.name));
  writeFileSync(`${path}-wal`, readFileSync(`${database.name}-wal`));
  return path;
}
