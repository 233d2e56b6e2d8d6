import { closeSync, fstatSync, ftruncateSync, openSync, statfsSync, writeSync } from "node:fs";
import { join } from "node:path";

const FILLER = "filler";
const ZEROS = Buffer.alloc(1 << 20);

/** Bytes that the file system of a folder has left. */
export function freeBytes(folder: string): number {
  const { bavail, bsize } = statfsSync(folder);
  return bavail * bsize;
}

/**
 * Makes the file `filler` in the folder as long as it must be for exactly `bytes` to remain free: it grows or shrinks.
 * @throws RangeError when `bytes` is not a whole number of blocks, or more than there is without the filler
 */
export function fillUntilFree(folder: string, bytes: number): void {
  const { bsize } = statfsSync(folder);
  if (bytes % bsize !== 0) throw new RangeError(`${bytes} bytes are not a multiple of the block size, ${bsize}`);
  const fd = openSync(join(folder, FILLER), "a+");
  try {
    let sizeBytes = ZEROS.length;
    while (freeBytes(folder) > bytes) {
      try {
        writeSync(fd, ZEROS, 0, Math.min(sizeBytes, freeBytes(folder) - bytes));
      } catch (error) {
        // Nearly full: what a large write can't have, small ones can.
        if (sizeBytes <= bsize) throw error;
        sizeBytes = bsize;
      }
    }
    const excessBytes = bytes - freeBytes(folder);
    if (excessBytes > 0) ftruncateSync(fd, Math.max(0, fstatSync(fd).size - excessBytes));
    if (freeBytes(folder) !== bytes) throw new RangeError(`${freeBytes(folder)} bytes are free, not ${bytes}`);
  } finally {
    closeSync(fd);
  }
}

/** Gives all of the filler's space back. */
export function releaseDisk(folder: string): void {
  closeSync(openSync(join(folder, FILLER), "w"));
}
