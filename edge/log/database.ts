import { randomUUID } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import Database from "better-sqlite3";
import { EdgeError, messageOf } from "../kernel/errors.ts";
import { renameVersion1, upgradeFromVersion1 } from "./upgrade.ts";

/** "TLST": tells a Tailstock log from any other SQLite file. */
const APPLICATION_ID = 0x544c5354;
const BUSY_TIMEOUT_MS = 4_000;
/** Pages of 4 KiB in memory, and in the write-ahead log before they are moved into the file: pages that many commits touch are then written once. */
const CACHE_KIB = 4_096;
const CHECKPOINT_PAGES = 4_000;
const migrationsFolder = join(import.meta.dirname, "migrations");

/** A new file begins with version 2; files of version 1 are brought up by upgrade.ts. Later versions are steps from it. */
const MIGRATIONS = readdirSync(migrationsFolder)
  .filter((name) => name.endsWith(".sql"))
  .sort()
  .map((name) => ({ version: Number.parseInt(name, 10), path: join(migrationsFolder, name) }));
const NEWEST = MIGRATIONS.at(-1)?.version ?? 0;

/**
 * Opens (and creates, unless read-only) the log's file: WAL, synchronous=FULL, migrated to the newest version.
 * @param options.offsetsFrom a new file's first offset comes after it
 * @throws EdgeError LOG_UNAVAILABLE (not there yet, not readable, busy), LOG_VERSION (not a log, or a newer one's), LOG_CORRUPT
 */
export function openDatabase(
  path: string,
  options: { readonly?: boolean; offsetsFrom?: number } = {},
): Database.Database {
  const readonly = options.readonly ?? false;
  if (readonly && !existsSync(path)) {
    throw new EdgeError("LOG_UNAVAILABLE", `there is no log at ${path}`, {
      hint: "Start the collector, which creates it, or name the right file.",
    });
  }
  let database: Database.Database | undefined;
  try {
    if (!readonly) mkdirSync(dirname(path), { recursive: true });
    database = new Database(path, { readonly, fileMustExist: readonly, timeout: BUSY_TIMEOUT_MS });
    if (readonly) checkVersion(database, path, { exact: true });
    else prepare(database, path, options.offsetsFrom ?? 0);
    database.pragma(`cache_size = -${CACHE_KIB}`);
    return database;
  } catch (error) {
    database?.close();
    throw error instanceof EdgeError ? error : asLogError(error, path);
  }
}

/** Makes a log that nobody has open one file, without a write-ahead log: it can then be read from where nothing can be written. */
export function toSingleFile(path: string): void {
  try {
    const database = new Database(path, { fileMustExist: true });
    try {
      database.pragma("journal_mode = DELETE");
    } finally {
      database.close();
    }
  } catch (error) {
    throw asLogError(error, path);
  }
}

function prepare(database: Database.Database, path: string, offsetsFrom: number): void {
  checkVersion(database, path, { exact: false });
  if (versionOf(database) === 0) {
    // Both only take effect before the first table: a page holds a slot of the tail, and space can be given back.
    database.pragma("page_size = 4096");
    database.pragma("auto_vacuum = INCREMENTAL");
  }
  database.pragma("journal_mode = WAL");
  database.pragma("synchronous = FULL");
  database.pragma(`wal_autocheckpoint = ${CHECKPOINT_PAGES}`);
  database.pragma(`journal_size_limit = ${CHECKPOINT_PAGES * 4096}`);
  if (versionOf(database) === NEWEST) return;
  const isOld = versionOf(database) === 1;
  database
    .transaction(() => {
      // Two processes may come here together: whoever is second finds the work done.
      if (versionOf(database) === NEWEST) return;
      if (isOld) renameVersion1(database);
      for (const { version, path: sqlPath } of MIGRATIONS.filter((each) => each.version > versionOf(database))) {
        database.exec(readFileSync(sqlPath, "utf8"));
        database.pragma(`user_version = ${version}`);
      }
      database.pragma(`application_id = ${APPLICATION_ID}`);
      const insert = database.prepare("INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO NOTHING");
      insert.run("created_ms", Date.now());
      if (isOld) upgradeFromVersion1(database);
      else {
        database.prepare("UPDATE mark SET sealed_offset = ?").run(offsetsFrom);
        database
          .prepare("INSERT INTO epoch (first_offset, epoch, cause) VALUES (0, ?, 'created') ON CONFLICT DO NOTHING")
          .run(randomUUID());
      }
    })
    .immediate();
  if (!isOld) return;
  // A file of version 1 gets the form in which space can be given back by being written anew, once.
  database.pragma("auto_vacuum = INCREMENTAL");
  database.exec("VACUUM");
}

function versionOf(database: Database.Database): number {
  return database.pragma("user_version", { simple: true }) as number;
}

function checkVersion(database: Database.Database, path: string, { exact }: { exact: boolean }): void {
  const version = versionOf(database);
  const applicationId = database.pragma("application_id", { simple: true }) as number;
  const isEmpty = database.prepare("SELECT 1 FROM sqlite_schema LIMIT 1").get() === undefined;
  if (isEmpty) {
    if (!exact) return;
    throw new EdgeError("LOG_UNAVAILABLE", `the log at ${path} is still empty`, {
      hint: "Start the collector, which sets it up.",
    });
  }
  if (applicationId !== APPLICATION_ID) {
    throw new EdgeError("LOG_VERSION", `${path} is a SQLite file, but not a Tailstock log`, {
      hint: "Name another file; this one was left as it is.",
    });
  }
  if (version > NEWEST) {
    throw new EdgeError(
      "LOG_VERSION",
      `the log at ${path} has version ${version}; this Tailstock knows versions up to ${NEWEST}`,
      {
        hint: "Update Tailstock, or name another log file; this one was left as it is.",
      },
    );
  }
  if (exact && version < NEWEST) {
    throw new EdgeError("LOG_VERSION", `the log at ${path} has version ${version}, older than ${NEWEST}`, {
      hint: "Start this Tailstock's collector once: it brings the log up to date.",
    });
  }
}

/** SQLite's error as the log's: full disk, or unavailable for now. */
export function asLogError(error: unknown, path: string): EdgeError {
  if (error instanceof EdgeError) return error;
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  // The second: the index of the write-ahead log, which lies on the same disk, can't grow.
  if (code === "SQLITE_FULL" || code === "SQLITE_IOERR_SHMSIZE") {
    return new EdgeError("LOG_FULL", `the disk of the log at ${path} is full`, {
      cause: error,
      hint: "Free some space; nothing that was acknowledged is lost.",
    });
  }
  if (code === "SQLITE_NOTADB") {
    return new EdgeError("LOG_VERSION", `${path} is not a SQLite file`, {
      cause: error,
      hint: "Name another file; this one was left as it is. If it is a log whose beginning is destroyed: tailstock log salvage.",
    });
  }
  if (code.startsWith("SQLITE_CORRUPT")) {
    return new EdgeError("LOG_CORRUPT", `the log at ${path} is damaged: ${messageOf(error)}`, {
      cause: error,
      hint: "The collector moves a damaged log aside and begins a new one; tailstock log salvage brings back what is readable.",
    });
  }
  if (code === "SQLITE_BUSY" || code === "SQLITE_BUSY_SNAPSHOT") {
    return new EdgeError(
      "LOG_UNAVAILABLE",
      `another process held the log at ${path} for more than ${BUSY_TIMEOUT_MS} ms`,
      {
        cause: error,
        hint: "Look for a program that keeps the file open, such as a backup or a database browser.",
      },
    );
  }
  return new EdgeError("LOG_UNAVAILABLE", `the log at ${path} can't be used: ${messageOf(error)}`, {
    cause: error,
    hint: "Check the folder's permissions and the disk.",
  });
}
