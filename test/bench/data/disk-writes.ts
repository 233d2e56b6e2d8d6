import { closeSync, existsSync, fsyncSync, openSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { ownUsage } from "../../support/process-usage.ts";

/** Enough to stand out from whatever else the process writes at that moment. */
const PROBE_BYTES = 1 << 20;

/**
 * Bytes that this process (its threads included) has caused to be written to disk so far, by the kernel's `write_bytes`.
 * The files are synced first, so that nothing is still on its way; the counter itself counts a page when it becomes dirty,
 * in whole pages, and once however often it is written before it goes out. What it leaves out is the file system's own
 * journal (ext4: a few blocks for each sync), which a kernel thread writes.
 */
export function diskWritesOf(paths: readonly string[]): number {
  for (const path of paths) {
    if (!existsSync(path)) continue;
    const file = openSync(path, "r");
    try {
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
  }
  return ownUsage().writtenBytes;
}

/** @throws Error when the kernel does not count what is written to this folder (tmpfs, some network file systems) */
export function assertWritesAreCounted(folder: string): void {
  const path = join(folder, "probe");
  const before = diskWritesOf([]);
  const file = openSync(path, "w");
  writeSync(file, Buffer.alloc(PROBE_BYTES, 1));
  closeSync(file);
  const counted = diskWritesOf([path]) - before;
  rmSync(path);
  if (counted >= PROBE_BYTES && counted < 2 * PROBE_BYTES) return;
  throw new Error(
    `${PROBE_BYTES} B written to ${folder} were counted as ${counted}: choose a folder on a disk (TMPDIR)`,
  );
}
