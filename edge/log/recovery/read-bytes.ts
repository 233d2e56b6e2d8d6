import { closeSync, fstatSync, openSync, readSync } from "node:fs";

/** A disk that fails does so by the sector; what can't be read is narrowed down to pieces of this size. */
const PIECE_BYTES = 4_096;

/** An open file of a known size, for reading what may be damaged. */
export interface OpenFile extends Disposable {
  readonly fd: number;
  readonly sizeBytes: number;
}

/**
 * Opens a file for reading; undefined when there is none.
 * @throws the system's error when the file is there and can't be opened
 */
export function openForReading(path: string): OpenFile | undefined {
  let fd: number;
  try {
    fd = openSync(path, "r");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
  return { fd, sizeBytes: fstatSync(fd).size, [Symbol.dispose]: () => closeSync(fd) };
}

/**
 * Fills `target` from `position` (bytes). Where the disk refuses (EIO) and past the end of the file there are zeros.
 * Gives the number of bytes that came from the file, up to its end; zeros in place of unreadable pieces count.
 */
export function readBytes(fd: number, target: Buffer, position: number, read: typeof readSync = readSync): number {
  let done = 0;
  let stepBytes = target.length;
  while (done < target.length) {
    const wanted = Math.min(stepBytes, target.length - done);
    try {
      const got = read(fd, target, done, wanted, position + done);
      if (got === 0) break;
      done += got;
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "EIO")) throw error;
      if (wanted > PIECE_BYTES) {
        stepBytes = PIECE_BYTES;
        continue;
      }
      target.fill(0, done, done + wanted);
      done += wanted;
    }
  }
  target.fill(0, done);
  return done;
}
