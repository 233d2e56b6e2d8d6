import { existsSync, renameSync, rmSync } from "node:fs";
import type { Clock } from "../kernel/clock.ts";
import { EdgeError } from "../kernel/errors.ts";
import { toSingleFile } from "./database.ts";
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
  progress?: (share: number, step: "copy" | "prove") => void,
): Promise<VerifyReport> {
  if (existsSync(target)) {
    throw new EdgeError("USAGE", `${target} is there already, and a backup overwrites nothing`, {
      hint: "Name a new file.",
    });
  }
  const log = openLogReader(path);
  try {
    await log.backUp(target, (share) => progress?.(share, "copy"));
  } catch (error) {
    removeLog(target);
    throw error;
  } finally {
    log.close();
  }
  toSingleFile(target);
  const report = await verifyLog(target, (share) => progress?.(share, "prove"));
  if (report.faults.length === 0) return report;
  throw new EdgeError("LOG_CORRUPT", `the copy at ${target} does not prove: ${report.faults[0]}`, {
    hint: "The log itself may be damaged: tailstock log verify says where.",
  });
}

export interface Restored {
  readonly report: VerifyReport;
  readonly epoch: string;
  /** New names of what was there before. */
  readonly setAside: readonly string[];
}

/**
 * Puts a backup in the place of a log. What is there now is set aside, never overwritten. The log goes on in a new epoch:
 * numbers that were given out after the backup was made are not given out again for other events, and offsets go on above
 * all that a reader may have seen. Nobody may write the log meanwhile.
 * @throws EdgeError LOG_CORRUPT when the backup does not prove, LOG_UNAVAILABLE, LOG_FULL, LOG_VERSION
 */
export async function restoreLog(backup: string, path: string, clock: Clock): Promise<Restored> {
  const report = await verifyLog(backup);
  if (report.faults.length > 0) {
    throw new EdgeError("LOG_CORRUPT", `the backup ${backup} does not prove: ${report.faults[0]}`, {
      hint: "Nothing was changed. tailstock log salvage brings back what is readable in it.",
    });
  }
  const copy = `${path}.restoring`;
  removeLog(copy);
  const source = openLogReader(backup);
  try {
    // Not a copy of the file: a backup that somebody has opened has part of itself in its -wal.
    await source.backUp(copy);
  } finally {
    source.close();
  }
  // Its own copy gets the new epoch first, so that there is never a restored log without one.
  const log = new SqliteLog({ path: copy, clock });
  let epoch: string;
  try {
    log.seal();
    log.skipOffsets(Math.floor(Math.max(headOf(path), clock.nowMs())));
    log.beginEpoch("restored");
    epoch = log.epoch;
    log.checkpoint();
  } finally {
    log.close();
  }
  const aside = setAside(path, clock.nowMs(), "replaced");
  renameSync(copy, path);
  removeLog(copy);
  return { report, epoch, setAside: aside };
}

/** Newest offset of the log that is there; 0 when there is none, or none that can be read. */
function headOf(path: string): number {
  try {
    const log = openLogReader(path);
    try {
      return log.head();
    } finally {
      log.close();
    }
  } catch {
    return 0;
  }
}

function removeLog(path: string): void {
  for (const suffix of ["", "-wal", "-shm", "-journal"]) rmSync(path + suffix, { force: true });
}
