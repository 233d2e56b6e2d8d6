import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import Database from "better-sqlite3";
import { HubError } from "../hub-error.ts";

/** "TLSH": tells a file of the local hub from any other SQLite file. */
const APPLICATION_ID = 0x544c5348;
const BUSY_TIMEOUT_MS = 1_000;

export interface DatabaseOptions {
  readonly path: string;
  /** Whose folder of migrations: who is who ("state") is kept apart from what devices send ("events") and what services wait for. */
  readonly kind: "state" | "events" | "services";
  readonly pageBytes: number;
  readonly cacheKib: number;
  /** So many pages wait in the write-ahead log before they are moved into the file. */
  readonly checkpointPages: number;
}

/**
 * Opens or creates one of the hub's files: WAL with fdatasync on every commit, migrated to the newest version, held by this
 * process alone (a second hub on the same folder would give out the same numbers).
 * @throws HubError ServiceUnavailable when the file is another program's, a newer hub's, or in use
 */
export function openDatabase({ path, kind, pageBytes, cacheKib, checkpointPages }: DatabaseOptions): Database.Database {
  let database: Database.Database | undefined;
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    database = new Database(path, { timeout: BUSY_TIMEOUT_MS });
    const applicationId = database.pragma("application_id", { simple: true });
    const isEmpty = database.prepare("SELECT 1 FROM sqlite_schema LIMIT 1").get() === undefined;
    if (!isEmpty && applicationId !== APPLICATION_ID) throw new Error("it is a SQLite file, but not a hub's");
    if (isEmpty) database.pragma(`page_size = ${pageBytes}`);
    database.pragma("locking_mode = EXCLUSIVE");
    database.pragma("journal_mode = WAL");
    database.pragma("synchronous = FULL");
    database.pragma("foreign_keys = ON");
    database.pragma(`cache_size = -${cacheKib}`);
    database.pragma(`wal_autocheckpoint = ${checkpointPages}`);
    database.pragma(`journal_size_limit = ${checkpointPages * pageBytes * 2}`);
    migrate(database, kind);
    return database;
  } catch (error) {
    database?.close();
    const why = error instanceof Error ? error.message : String(error);
    throw new HubError("ServiceUnavailable", `the hub's file ${path} can't be used: ${why}`, { cause: error });
  }
}

function migrate(database: Database.Database, kind: string): void {
  const folder = join(import.meta.dirname, "migrations", kind);
  const steps = readdirSync(folder)
    .filter((name) => name.endsWith(".sql"))
    .sort()
    .map((name) => ({ version: Number.parseInt(name, 10), path: join(folder, name) }));
  const version = database.pragma("user_version", { simple: true }) as number;
  const newest = steps.at(-1)?.version ?? 0;
  if (version > newest) throw new Error(`its version is ${version}, this hub knows versions up to ${newest}`);
  const missing = steps.filter((each) => each.version > version);
  if (missing.length === 0) return;
  database
    .transaction(() => {
      for (const step of missing) {
        database.exec(readFileSync(step.path, "utf8"));
        database.pragma(`user_version = ${step.version}`);
      }
      database.pragma(`application_id = ${APPLICATION_ID}`);
    })
    .immediate();
}

/** Of the file, made when it is asked for first. */
export function metaOf(database: Database.Database, key: string, initial: string | number): string | number {
  database.prepare("INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO NOTHING").run(key, initial);
  return database.prepare("SELECT value FROM meta WHERE key = ?").pluck().get(key) as string | number;
}
