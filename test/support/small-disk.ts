import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const CHILD_TIMEOUT_MS = 30_000;
const MOUNT = 'mount -t tmpfs -o "size=$1,mode=0700" tmpfs "$2" && shift 2 && exec "$@"';
const WAYS = [["-m"], ["-Urm"]]; // as root; as the root of a user namespace of one's own

/*
 * What SQLite 3.54 (better-sqlite3 13.2) does on such a disk, each seen by small-disk.test.ts:
 * - The WAL can't grow: SQLITE_FULL; the commit is not there, a piece of it lies behind the last commit in the WAL.
 * - The WAL has room from before it was begun anew: commits succeed at 0 bytes free. (tmpfs, ext4 and XFS write in place;
 *   a copy-on-write file system would refuse.)
 * - A checkpoint can't grow the database: SQLITE_FULL from wal_checkpoint. The automatic one behind a commit fails without a
 *   word and so does the one in close(): the commit and the close succeed, the WAL stays and grows.
 * - The -shm can't grow (32 KiB for each 4096 frames): SQLITE_IOERR_SHMSIZE, not SQLITE_FULL. The refused commit is whole
 *   in the WAL by then: the next commit overwrites it, but a crash before that brings it back.
 * - Opening a WAL database makes a -shm of 32 KiB: SQLITE_IOERR_SHMSIZE without that much space, for readers too.
 * tmpfs has no journal and no delayed allocation: where ENOSPC would come at fsync, as it may on a network file system, this
 * disk can't show it.
 */

/**
 * Runs a TypeScript program on a disk of `sizeBytes` that really fills up, and gives its lines of standard output, each
 * parsed as JSON. The disk is a tmpfs in a mount namespace of the program alone (unshare(1)), gone when it ends; its folder
 * is the program's first argument, `args` follow. It fills the disk with fill-disk.ts. Needs Linux, and root or user
 * namespaces.
 * @throws Error with one sentence when this machine can't do that; when the program fails or takes longer than `timeoutMs` (30 s)
 */
export async function withSmallDisk(
  sizeBytes: number,
  program: string,
  args: readonly string[] = [],
  timeoutMs = CHILD_TIMEOUT_MS,
): Promise<unknown[]> {
  const way = findWay();
  if (typeof way === "string") throw new Error(way);
  const folder = mkdtempSync(join(tmpdir(), "tailstock-small-disk-"));
  try {
    const command = [process.execPath, program, folder, ...args];
    const child = spawn("unshare", [...way, "sh", "-c", MOUNT, "sh", `${sizeBytes}`, folder, ...command], {
      stdio: ["ignore", "pipe", "pipe"],
      timeout: timeoutMs,
      killSignal: "SIGKILL",
    });
    let output = "";
    let errors = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      output += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      errors = (errors + text).slice(-4_000);
    });
    const [code, signal] = (await once(child, "close")) as [number | null, string | null];
    if (code !== 0)
      throw new Error(`${program} on a small disk ended with ${code ?? signal}: ${errors}${output.slice(-1_000)}`);
    return output
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line) as unknown);
  } finally {
    rmdirSync(folder);
  }
}

/** Why withSmallDisk can't work here, in one sentence; undefined if it can. For `test.skipIf`. */
export function smallDiskObstacle(): string | undefined {
  const way = findWay();
  return typeof way === "string" ? way : undefined;
}

let found: readonly string[] | string | undefined;

function findWay(): readonly string[] | string {
  found ??= tryWays();
  return found;
}

function tryWays(): readonly string[] | string {
  if (process.platform !== "linux")
    return `A small disk needs Linux and its mount namespaces; this is ${process.platform}.`;
  const folder = mkdtempSync(join(tmpdir(), "tailstock-small-disk-"));
  const reasons: string[] = [];
  try {
    for (const way of WAYS) {
      const tried = spawnSync("unshare", [...way, "sh", "-c", MOUNT, "sh", "65536", folder, "true"], {
        encoding: "utf8",
      });
      if (tried.status === 0) return way;
      reasons.push(`unshare ${way.join(" ")}: ${tried.error?.message ?? tried.stderr.trim()}`);
    }
  } finally {
    rmdirSync(folder);
  }
  return `A small disk needs unshare(1) of util-linux and either root with CAP_SYS_ADMIN or unprivileged user namespaces that may mount (${reasons.join("; ")}).`;
}
