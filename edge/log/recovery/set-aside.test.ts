import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import Database from "better-sqlite3";
import { afterEach, expect, test, vi } from "vitest";
import { tempFolder } from "../../../test/support/temp-folder.ts";
import { setAside } from "./set-aside.ts";

/** Changes to the folder are counted; the process "dies" before the change of that number, links may be missing. */
const disk = vi.hoisted(() => ({ changes: 0, diesBefore: Number.POSITIVE_INFINITY, hasLinks: true }));
vi.mock("node:fs", async (original) => {
  const real = await original<typeof import("node:fs")>();
  const change = <A extends unknown[], R>(work: (...args: A) => R) => {
    return (...args: A): R => {
      if (++disk.changes >= disk.diesBefore) throw new Error("died");
      return work(...args);
    };
  };
  const withoutLinks = (): never => {
    throw Object.assign(new Error("no links here"), { code: "EPERM" });
  };
  const link = change(real.linkSync);
  return {
    ...real,
    renameSync: change(real.renameSync),
    unlinkSync: change(real.unlinkSync),
    linkSync: (from: string, to: string) => (disk.hasLinks ? link(from, to) : withoutLinks()),
    openSync: (path: string, flags: string) =>
      flags === "wx" ? change(real.openSync)(path, flags) : real.openSync(path, flags),
  };
});
afterEach(() => {
  Object.assign(disk, { changes: 0, diesBefore: Number.POSITIVE_INFINITY, hasLinks: true });
});

const NOW_MS = Date.UTC(2026, 10, 24, 21, 50, 0, 123);
const LATER_MS = NOW_MS + 60_000;
const SUFFIXES = ["", "-wal", "-shm"];

/** A database as a crash leaves it: rows 1 to 3, of which only the first is not in the WAL alone. */
function crashed(): { path: string; folder: string } {
  const source = join(tempFolder(), "source.db");
  const folder = tempFolder();
  const path = join(folder, "log.db");
  const database = new Database(source);
  database.pragma("journal_mode = WAL");
  database.exec("CREATE TABLE t (n INTEGER); INSERT INTO t VALUES (1); PRAGMA wal_checkpoint(TRUNCATE)");
  database.exec("INSERT INTO t VALUES (2); INSERT INTO t VALUES (3)");
  for (const suffix of SUFFIXES) writeFileSync(path + suffix, readFileSync(source + suffix));
  database.close();
  return { path, folder };
}

function rowsIn(path: string): unknown[] {
  const database = new Database(path);
  const rows = database.prepare("SELECT n FROM t ORDER BY n").pluck().all();
  database.close();
  return rows;
}

test("all three files are renamed, byte for byte, and a second and third time get another name", () => {
  const { path, folder } = crashed();
  const contents = SUFFIXES.map((suffix) => readFileSync(path + suffix));
  const expected = SUFFIXES.map((suffix) => `${path}.damaged-20261124T215000Z${suffix}`);
  expect(setAside(path, NOW_MS)).toEqual(expected);
  expect(expected.map((each) => readFileSync(each))).toEqual(contents);
  expect(readdirSync(folder).sort()).toEqual(expected.map((each) => basename(each)).sort());
  for (const n of [2, 3]) {
    writeFileSync(path, `database ${n}`);
    writeFileSync(`${path}-wal`, `its WAL ${n}`);
    const names = setAside(path, NOW_MS);
    expect(names).toEqual(["", "-wal"].map((suffix) => `${path}.damaged-20261124T215000Z-${n}${suffix}`));
    expect(names.map((each) => readFileSync(each, "utf8"))).toEqual([`database ${n}`, `its WAL ${n}`]);
  }
  expect(rowsIn(expected[0] ?? "")).toEqual([1, 2, 3]);
});

test("nothing there, or a -shm alone: nothing is done; a database alone is renamed; an empty WAL is nothing", () => {
  const folder = tempFolder();
  const path = join(folder, "log.db");
  expect(setAside(path, NOW_MS)).toEqual([]);
  writeFileSync(`${path}-shm`, "x");
  expect(setAside(path, NOW_MS)).toEqual([]);
  rmSync(`${path}-shm`);
  writeFileSync(path, "a database");
  writeFileSync(`${path}-wal`, "");
  expect(setAside(path, NOW_MS)).toEqual([`${path}.damaged-20261124T215000Z`]);
  expect(readdirSync(folder)).toHaveLength(1);
});

test("a name of which any of the three is taken is not used", () => {
  for (const suffix of SUFFIXES) {
    const { path, folder } = crashed();
    const taken = `${path}.damaged-20261124T215000Z${suffix}`;
    writeFileSync(taken, "somebody's");
    if (suffix === "-shm") writeFileSync(taken.replace("-shm", ""), "its database");
    const names = setAside(path, NOW_MS);
    expect(names[0]).toBe(`${path}.damaged-20261124T215000Z-2`);
    expect(readFileSync(taken, "utf8")).toBe("somebody's");
    expect(readdirSync(folder).length).toBe(suffix === "-shm" ? 5 : 4);
  }
});

test.each([true, false])(
  "a process that dies before any of the changes (links: %s): the next call finishes it",
  (hasLinks) => {
    let crashes = 0;
    for (let diesBefore = 1; ; diesBefore++) {
      const { path, folder } = crashed();
      const first = `${path}.damaged-20261124T215000Z`;
      Object.assign(disk, { changes: 0, diesBefore, hasLinks });
      let died = false;
      try {
        setAside(path, NOW_MS);
      } catch (error) {
        expect(String(error)).toContain("died");
        died = true;
      }
      disk.diesBefore = Number.POSITIVE_INFINITY;
      if (!died) break;
      crashes++;
      const has = (name: string): boolean => readdirSync(folder).includes(basename(name));
      // The database is never where SQLite would open it without its WAL.
      if (has(path)) expect(has(`${path}-wal`)).toBe(true);
      if (hasLinks && has(first)) expect(has(`${first}-wal`)).toBe(true);
      const names = setAside(path, LATER_MS);
      // Before the first change nothing says that there was a first call.
      const target = diesBefore === 1 ? `${path}.damaged-20261124T215100Z` : first;
      expect(names).toEqual(SUFFIXES.map((suffix) => target + suffix));
      expect(readdirSync(folder)).toHaveLength(3);
      expect(rowsIn(target)).toEqual([1, 2, 3]);
      expect(setAside(path, LATER_MS)).toEqual([]);
    }
    expect(crashes).toBe(4);
  },
);

test("after dying with the database renamed, a start that comes first deletes the old WAL; the set-aside one is whole", () => {
  const { path } = crashed();
  Object.assign(disk, { changes: 0, diesBefore: 4 });
  expect(() => setAside(path, NOW_MS)).toThrow("died");
  disk.diesBefore = Number.POSITIVE_INFINITY;
  const database = new Database(path);
  database.exec("CREATE TABLE fresh (n INTEGER)");
  database.close();
  expect(rowsIn(`${path}.damaged-20261124T215000Z`)).toEqual([1, 2, 3]);
});

test("a WAL whose database was deleted is not given to an earlier set-aside", () => {
  const { path } = crashed();
  writeFileSync(`${path}-wal`, "");
  setAside(path, NOW_MS);
  writeFileSync(`${path}-wal`, "of another database");
  expect(setAside(path, LATER_MS)).toEqual([`${path}.damaged-20261124T215100Z-wal`]);
});
