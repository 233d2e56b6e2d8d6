import { copyFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { inspectWal } from "../../edge/log/recovery/wal-check.ts";
import { fillUntilFree, freeBytes, releaseDisk } from "./fill-disk.ts";

// Runs on a small disk of its own: one scenario, named on the command line, prints one line of JSON with what happened.
const BLOCK_BYTES = 4_096;
const FRAME_BYTES = 4_120;
const [folder = "", scenario = ""] = process.argv.slice(2);
const path = join(folder, "log.db");

/** "fine", or the error's code. */
function outcome(work: () => unknown): string {
  try {
    work();
    return "fine";
  } catch (error) {
    return error instanceof Error && "code" in error ? String(error.code) : String(error);
  }
}

function open(autocheckpointPages = 0): Database.Database {
  const database = new Database(path);
  database.pragma("journal_mode = WAL");
  database.pragma("synchronous = FULL");
  database.pragma(`wal_autocheckpoint = ${autocheckpointPages}`);
  database.exec("CREATE TABLE IF NOT EXISTS t (id INTEGER PRIMARY KEY, data BLOB)");
  return database;
}

function add(database: Database.Database, rows = 1, bytes = 3_000): void {
  const insert = database.prepare("INSERT INTO t (data) VALUES (?)");
  database.transaction(() => {
    for (let n = 0; n < rows; n++) insert.run(Buffer.alloc(bytes, n));
  })();
}

function rows(database: Database.Database): number {
  return database.prepare("SELECT count(*) FROM t").pluck().get() as number;
}

function checkpoint(database: Database.Database): void {
  database.pragma("wal_checkpoint(TRUNCATE)");
}

/** Commits one row after the other until one is refused. */
function addUntilRefused(database: Database.Database): { accepted: number; refusal: string } {
  for (let accepted = 0; ; accepted++) {
    const refusal = outcome(() => add(database));
    if (refusal !== "fine") return { accepted, refusal };
  }
}

function afterRelease(database: Database.Database): object {
  releaseDisk(folder);
  const append = outcome(() => add(database));
  checkpoint(database);
  return { append, rows: rows(database), integrity: database.pragma("integrity_check", { simple: true }) };
}

/** The rows that a start after a crash at this moment would find. */
function rowsAfterCrash(): number {
  const copy = join(folder, "crash.db");
  copyFileSync(path, copy);
  copyFileSync(`${path}-wal`, `${copy}-wal`);
  using database = Object.assign(new Database(copy), {
    [Symbol.dispose](): void {
      database.close();
    },
  });
  return rows(database);
}

const SCENARIOS: Readonly<Record<string, () => object>> = {
  file() {
    fillUntilFree(folder, 5 * BLOCK_BYTES);
    const exact = outcome(() => writeFileSync(join(folder, "exact"), Buffer.alloc(5 * BLOCK_BYTES)));
    const more = outcome(() => writeFileSync(join(folder, "more"), "x"));
    fillUntilFree(folder, 2 * BLOCK_BYTES);
    const free = freeBytes(folder);
    releaseDisk(folder);
    return {
      exact,
      more,
      free,
      afterRelease: outcome(() => writeFileSync(join(folder, "more"), Buffer.alloc(1 << 20))),
    };
  },

  "wal-growth"() {
    const database = open();
    fillUntilFree(folder, 10 * BLOCK_BYTES);
    const first = addUntilRefused(database);
    const wal = inspectWal(`${path}-wal`).state;
    return { ...first, again: outcome(() => add(database)), rows: rows(database), wal, ...afterRelease(database) };
  },

  "wal-overwrite"() {
    const database = open(10);
    add(database, 50);
    database.pragma("wal_checkpoint(RESTART)");
    fillUntilFree(folder, 0);
    // The old frames' space is used again; each commit beyond ten pages tries to checkpoint, and can't.
    return {
      ...addUntilRefused(database),
      rows: rows(database),
      dbBytes: statSync(path).size,
      ...afterRelease(database),
    };
  },

  checkpoint() {
    const database = open();
    add(database, 50);
    fillUntilFree(folder, 2 * BLOCK_BYTES);
    const explicit = outcome(() => checkpoint(database));
    const rowsWhenFull = rows(database);
    const close = outcome(() => database.close());
    const rowsReopened = rows(open());
    return { explicit, rowsWhenFull, close, rowsReopened, ...afterRelease(open()) };
  },

  "shm-growth"() {
    const database = open();
    // The first 32 KiB of -shm name 4062 frames; the one after needs 32 KiB more.
    while (statSync(`${path}-wal`).size < 32 + 4_040 * FRAME_BYTES) add(database, 10, 4_000);
    while (statSync(`${path}-wal`).size < 32 + 4_062 * FRAME_BYTES) add(database, 1, 10);
    const before = rows(database);
    fillUntilFree(folder, 7 * BLOCK_BYTES);
    const refusal = outcome(() => add(database, 1, 10));
    const rowsWhenRefused = rows(database) - before;
    releaseDisk(folder);
    const crash = rowsAfterCrash() - before;
    return {
      refusal,
      rowsWhenRefused,
      rowsAfterCrash: crash,
      ...afterRelease(database),
      rows: rows(database) - before,
    };
  },

  open() {
    const database = open();
    add(database, 5);
    database.close();
    fillUntilFree(folder, 0);
    const read = (readonly: boolean) => outcome(() => rows(new Database(path, { readonly })));
    const results = { readWrite: read(false), readonly: read(true) };
    const fresh = outcome(() => new Database(join(folder, "new.db")).exec("CREATE TABLE t (n)"));
    fillUntilFree(folder, 8 * BLOCK_BYTES);
    return { ...results, fresh, readWith32KiB: read(false), appendWith32KiB: outcome(() => add(open())) };
  },
};

console.log(JSON.stringify(SCENARIOS[scenario]?.()));
