import {
  type BigIntStats,
  closeSync,
  existsSync,
  fsyncSync,
  linkSync,
  openSync,
  readdirSync,
  renameSync,
  statSync,
  unlinkSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";

/**
 * Renames a database with its -wal and -shm to `<path>.<why>-<UTC time>[-2, -3 …][-wal|-shm]`, so that a new one
 * can be begun and the old one examined; never overwrites. Gives the new paths: database, WAL, shared memory, those that
 * there were; an empty list when there was nothing (a -shm alone is nothing). An empty WAL is removed.
 * `nowMs` is UTC epoch milliseconds. Nobody may have the database open.
 *
 * Order, and what a crash in between leaves for the next call, which finishes it under the same name:
 * 1. The -shm, which is worth nothing: SQLite makes it anew. Database and WAL are still in place together.
 * 2. The WAL gets its new name as a second one (a hard link; an empty file where the file system has no links). Database and
 *    WAL are still in place together; the second name says which set-aside was begun.
 * 3. The database is renamed. Both are now together under the new name (without links: the WAL alone is at the old name).
 *    The WAL must not go first: SQLite opens a database whose WAL is missing as if nothing had been lost.
 * 4. The WAL's old name goes. Until then SQLite, were it started, would make a new database and delete that WAL, which is
 *    why the new name is a link.
 * @throws the system's error when the folder does not allow it; what was done stays done, and the next call goes on
 */
export function setAside(path: string, nowMs: number, why: "damaged" | "replaced" = "damaged"): string[] {
  const db = statOf(path);
  if (statOf(`${path}-wal`)?.size === 0n) unlinkSync(`${path}-wal`);
  const wal = statOf(`${path}-wal`);
  if (!db && !wal) return [];
  const folder = dirname(path);
  const prefix = `${path}.${why}-`;
  const target = unfinished(prefix, path, db, wal) ?? freshName(prefix, nowMs);

  if (statOf(`${path}-shm`)) renameSync(`${path}-shm`, `${target}-shm`);
  if (wal && !statOf(`${target}-wal`)) claimWal(`${path}-wal`, `${target}-wal`);
  syncFolder(folder);
  if (db) {
    renameSync(path, target);
    syncFolder(folder);
  }
  if (wal) {
    // A rename onto another name of the same file does nothing at all (POSIX); then only the old name has to go.
    if (isSame(wal, statOf(`${target}-wal`))) unlinkSync(`${path}-wal`);
    else renameSync(`${path}-wal`, `${target}-wal`);
  }
  syncFolder(folder);
  return [target, `${target}-wal`, `${target}-shm`].filter((each) => existsSync(each));
}

function claimWal(from: string, to: string): void {
  try {
    linkSync(from, to);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && NO_LINKS.has(String(error.code)))) throw error;
    closeSync(openSync(to, "wx"));
  }
}

const NO_LINKS = new Set(["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EMLINK", "EINVAL", "UNKNOWN"]);

/** The name of a set-aside that was begun and not finished, if its remaining parts are those at `path`. */
function unfinished(
  prefix: string,
  path: string,
  db: BigIntStats | undefined,
  wal: BigIntStats | undefined,
): string | undefined {
  const names = readdirSync(dirname(path)).filter((name) => name.startsWith(basename(prefix)));
  const targets = new Set(names.map((name) => join(dirname(path), name.replace(/-(?:wal|shm)$/, ""))));
  return [...targets].sort().find((target) => {
    const isDbThere = statOf(target) !== undefined;
    const walThere = statOf(`${target}-wal`);
    const isShmThere = statOf(`${target}-shm`) !== undefined;
    if (db && isDbThere) return false;
    // The claim of step 2: a link to the very WAL that is still at the old name, or the empty file in place of a link.
    if (wal && walThere) return isSame(wal, walThere) || walThere.size === 0n;
    if (walThere) return false;
    // Step 1 only: nothing but a -shm under the new name.
    return db !== undefined && isShmThere;
  });
}

function freshName(prefix: string, nowMs: number): string {
  const time = new Date(nowMs).toISOString().replace(/\.\d+/, "").replaceAll(/[-:]/g, "");
  for (let n = 1; ; n++) {
    const name = `${prefix}${time}${n === 1 ? "" : `-${n}`}`;
    if (["", "-wal", "-shm"].every((suffix) => !statOf(`${name}${suffix}`))) return name;
  }
}

function statOf(path: string): BigIntStats | undefined {
  return statSync(path, { throwIfNoEntry: false, bigint: true });
}

function isSame(one: BigIntStats, other: BigIntStats | undefined): boolean {
  return other !== undefined && one.ino === other.ino && one.dev === other.dev;
}

/** A rename is durable once its folder is. Windows has no such call for folders and needs none. */
function syncFolder(folder: string): void {
  if (process.platform === "win32") return;
  const fd = openSync(folder, "r");
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
