import { existsSync, renameSync, rmSync } from "node:fs";
import Database from "better-sqlite3";
import { EdgeError, messageOf } from "../../../edge/kernel/errors.ts";
import { SCHEMA, STATE_VERSION } from "./schema.ts";

const BUSY_MS = 2_000;

/** Opens or creates the file. @throws SqliteError when it can't be read, EdgeError LOG_VERSION when it is a newer version's */
function openFile(path: string): Database.Database {
  const database = new Database(path, { timeout: BUSY_MS });
  try {
    database.pragma("journal_mode = WAL");
    // What must survive a power cut is written with FULL (durably); the status of each second need not.
    database.pragma("synchronous = NORMAL");
    const version = database.pragma("user_version", { simple: true }) as number;
    if (version > STATE_VERSION)
      throw new EdgeError("LOG_VERSION", `${path} is of version ${version}; this uplink knows ${STATE_VERSION}`);
    if (version === 0) database.transaction(() => database.exec(SCHEMA))();
    database.prepare("SELECT count(*) FROM dead_letter").get();
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

/**
 * The file, whatever state it was in: one that is damaged is moved aside and a new one begun, which `lost` is told.
 * @throws EdgeError LOG_UNAVAILABLE when the folder can't be written, LOG_VERSION
 */
export function openStateFile(path: string, lost: (reason: string, aside: string) => void): Database.Database {
  try {
    return openFile(path);
  } catch (error) {
    if (error instanceof EdgeError) throw error;
    if (!isDamage(error, true) || !existsSync(path)) throw unavailable(path, error);
    return renewStateFile(path, messageOf(error), lost);
  }
}

/** Moves the file aside, which nobody has open any more, and begins a new one. @throws EdgeError LOG_UNAVAILABLE */
export function renewStateFile(
  path: string,
  reason: string,
  lost: (reason: string, aside: string) => void,
): Database.Database {
  try {
    const aside = `${path}.damaged`;
    for (const suffix of ["", "-wal", "-shm"]) rmSync(`${aside}${suffix}`, { force: true });
    if (existsSync(path)) renameSync(path, aside);
    for (const suffix of ["-wal", "-shm"]) rmSync(`${path}${suffix}`, { force: true });
    lost(reason, aside);
    return openFile(path);
  } catch (error) {
    throw error instanceof EdgeError ? error : unavailable(path, error);
  }
}

/** @param isOpening a file of another kind shows as a plain error of SQL then */
export function isDamage(error: unknown, isOpening = false): boolean {
  const codes = isOpening ? /CORRUPT|NOTADB|SQLITE_ERROR/ : /CORRUPT|NOTADB/;
  return error instanceof Database.SqliteError && codes.test(error.code);
}

function unavailable(path: string, error: unknown): EdgeError {
  return new EdgeError("LOG_UNAVAILABLE", `${path}: ${messageOf(error)}`, {
    cause: error,
    hint: "Check that the folder of the log exists and may be written.",
  });
}
