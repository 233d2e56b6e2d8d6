import { copyFileSync, existsSync, renameSync, rmSync } from "node:fs";
import type { Clock } from "../kernel/clock.ts";
import { EdgeError } from "../kernel/errors.ts";
import { SqliteLog } from "./log.ts";
import { openLogReader } from "./reader.ts";
import { setAside } from "./recovery/set-aside.ts";
import { type VerifyReport, verifyLog } from "./verify.ts";

/**
 * Copies a log, as it is at one moment, into a new file, and proves the copy. The collector may go on writing.
 * @throws EdgeError USAGE when the target exists, LOG_UNAVAILABLE, LOG_FULL; LOG_CORRUPT when the copy does not prove
 */
export async function backUpLog(
  path: string,
  target: string,
  progress?: (share: number) => void,
): Promise<VerifyReport> {
  if (existsSync(target)) {
    throw new EdgeError("USAGE", `${target} is there already, and a backup overwrites nothing`, {
      hint: "Name a new file.",
    });
  }
  const log = openLogReader(path);
  try {
    await log.backUp(target, progress);
  } catch (error) {
    removeLog(target);
    throw error;
  } finally {
    log.close();
  }
  const report = await verifyLog(target);
  if (report.faults.length === 0) return report;
  throw new EdgeError("LOG_CORRUPT", `the copy at ${target} does not prove: ${report.faults[0]}`, {
    hint: "The log itself may be damaged: tailstock log verify says where.",
  });
}

/**
 * Puts a backup in the place of a log. What is there now is set aside, never overwritten. The log goes on in a new epoch:
 * numbers that were given out after the backup was made are not given out again for other events.
 * @throws EdgeError LOG_CORRUPT when the backup does not prove, LOG_UNAVAILABLE, LOG_FULL, LOG_VERSION
 */
export async function restoreLog(
  backup: string,
  path: string,
  clock: Clock,
): Promise<{ readonly report: VerifyReport; readonly epoch: string; readonly setAside: readonly string[] }> {
  const report = await verifyLog(backup);
  if (report.faults.length > 0) {
    throw new EdgeError("LOG_CORRUPT", `the backup ${backup} does not prove: ${report.faults[0]}`, {
      hint: "Nothing was changed. tailstock log salvage brings back what is readable in it.",
    });
  }
  const copy = `${path}.restoring`;
  removeLog(copy);
  copyFileSync(backup, copy);
  // Its own copy gets the new epoch first, so that there is never a restored log without one.
  const log = new SqliteLog({ path: copy, clock });
  log.beginEpoch("restored");
  const { epoch } = log;
  log.checkpoint();
  log.close();
  const aside = setAside(path, clock.nowMs());
  renameSync(copy, path);
  removeLog(copy);
  return { report, epoch, setAside: aside };
}

function removeLog(path: string): void {
  for (const suffix of ["", "-wal", "-shm", "-journal"]) rmSync(path + suffix, { force: true });
}
