import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { carve, copyOf, insertRows, isRow, openNew, pagesOfRows } from "../../../test/support/carved-rows.ts";
import { tempFolder } from "../../../test/support/temp-folder.ts";

test("pages in the WAL stand for those in the file", () => {
  const folder = tempFolder();
  const database = openNew(join(folder, "a.db"));
  insertRows(database, 1, 60);
  database.pragma("wal_checkpoint(TRUNCATE)");
  insertRows(database, 61, 90);
  database.prepare("UPDATE row SET real = 99.5 WHERE id = 7").run();
  const copy = copyOf(database, join(folder, "copy"));
  const { rows } = carve(copy);
  for (let id = 1; id <= 90; id++) expect(rows.get(id)).toHaveLength(1);
  expect(rows.get(7)?.[0]?.values[3]).toBe(99.5);
  // The whole file gone, the WAL alone: what was written since, also when its header is gone too.
  writeFileSync(copy, "");
  const wal = readFileSync(`${copy}-wal`);
  for (const damage of [0, 32]) {
    writeFileSync(`${copy}-wal`, wal.fill(0, 0, damage));
    const alone = carve(copy).rows;
    for (let id = 62; id <= 90; id++) expect(alone.get(id)?.some((record) => isRow(record, id))).toBe(true);
  }
  database.close();
});

test("a bad frame in the WAL costs its own page only; pages whose commit is lost are given and said to be uncommitted", () => {
  const folder = tempFolder();
  const database = openNew(join(folder, "a.db"));
  database.pragma("wal_checkpoint(TRUNCATE)");
  insertRows(database, 1, 40);
  insertRows(database, 41, 80);
  const pagesOfRow = pagesOfRows(database);
  const copy = copyOf(database, join(folder, "copy"));
  const wal = readFileSync(`${copy}-wal`);
  const frames = (wal.length - 32) / 4_120;
  const pageOf = (frame: number): number => wal.readUInt32BE(32 + (frame - 1) * 4_120);
  for (const frame of [1, 30, 100, frames]) {
    const damaged = Buffer.from(wal);
    damaged[32 + (frame - 1) * 4_120 + 600] = (damaged[32 + (frame - 1) * 4_120 + 600] ?? 0) ^ 4;
    writeFileSync(`${copy}-wal`, damaged);
    const { rows } = carve(copy);
    for (const [rowid, pages] of pagesOfRow) {
      if (pages.has(pageOf(frame))) continue;
      const found = rows.get(rowid)?.find(({ complete }) => complete);
      expect(found && isRow(found, rowid)).toBe(true);
      expect(found?.uncommitted).toBe(frame === frames && rowid > 40);
    }
  }
  database.close();
});

test("pages of before the WAL was begun anew help where the file's own are gone", () => {
  const folder = tempFolder();
  const database = openNew(join(folder, "a.db"));
  insertRows(database, 1, 40);
  database.pragma("wal_checkpoint(RESTART)");
  insertRows(database, 41, 42);
  const copy = copyOf(database, join(folder, "copy"));
  writeFileSync(copy, Buffer.alloc(readFileSync(copy).length));
  const { rows } = carve(copy);
  const whole = [...rows].flatMap(([rowid, records]) =>
    records.filter((record) => record.complete && isRow(record, rowid)),
  );
  expect(whole.length).toBeGreaterThan(20);
  expect(whole.some(({ uncommitted, rowid }) => uncommitted && Number(rowid) <= 40)).toBe(false);
  database.close();
});
