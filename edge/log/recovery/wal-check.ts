import { type OpenFile, openForReading, readBytes } from "./read-bytes.ts";
import {
  FRAME_HEADER_BYTES,
  frameCount,
  readWalShape,
  WAL_HEADER_BYTES,
  type WalFrame,
  type WalShape,
  walFrames,
} from "./wal-frames.ts";

/**
 * SQLite uses a WAL up to the last commit before the first frame whose checksum or salt fails and drops the rest without
 * a word (https://www.sqlite.org/fileformat2.html section 4.1). After a power cut that is right; after damage to the file
 * it loses acknowledged commits. So the file is looked at before SQLite opens it.
 */
export interface WalReport {
  /**
   * none: no file, or an empty one. clean: SQLite will use all that was committed. damaged: commits lie behind the place
   * where SQLite will stop. torn: the file ends in an unfinished write (power cut, full disk), or its last
   * commit is damaged.
   */
  readonly state: "none" | "clean" | "torn" | "damaged";
  /** Whole frames in the file, those of older generations included. */
  readonly frames: number;
  /** The frames that SQLite will use: up to the last commit of the unbroken chain. */
  readonly committedFrames: number;
  /** The first frame that should belong to the chain and does not, from 1; absent if the header itself is at fault. */
  readonly firstBadFrame?: number;
  /** Commits behind the first bad frame that are valid in themselves. One whose own commit frame is broken can't be counted. */
  readonly lostCommits: number;
  /**
   * Whether an acknowledged commit is certainly among those. False where the lost commits may be what unacknowledged ones
   * left: a disk that was still writing when the power went may have written the end of a transaction before its start, and
   * a commit that SQLite refused after writing it (no space for -shm, a failed fsync) lies there until it is overwritten.
   */
  readonly lossProven: boolean;
  /** One or two sentences for a technician. */
  readonly detail: string;
}

/**
 * Looks at a WAL file without changing it; memory is bounded whatever the file's size (bytes).
 *
 * Nobody may have the database open. Frames that were already moved into the database file can't be told from those that
 * were not; so with a damaged WAL the database file may hold newer pages than the part of the WAL that SQLite would still
 * use, and opening the two together may corrupt it. After anything but "clean", a database that was opened all the same
 * should be checkpointed with TRUNCATE at once: otherwise the remains stay behind the new frames, with the same salts, and
 * are found again.
 * @throws the system's error when the file is there and can't be opened
 */
export function inspectWal(walPath: string): WalReport {
  using file = openForReading(walPath);
  const nothing = { frames: 0, committedFrames: 0, lostCommits: 0, lossProven: false };
  if (!file || file.sizeBytes === 0) return { ...nothing, state: "none", detail: "There is no write-ahead log." };
  const shape = readWalShape(file);
  if (!shape) {
    return file.sizeBytes < WAL_HEADER_BYTES + FRAME_HEADER_BYTES + 512
      ? { ...nothing, state: "torn", detail: "The write-ahead log was cut while its first frame was being written." }
      : {
          ...nothing,
          state: "damaged",
          detail: "Neither the header nor the first frames of the write-ahead log can be read.",
        };
  }
  return shape.headerFault === undefined ? inspectFrames(file, shape) : inspectWithoutHeader(file, shape);
}

/** SQLite takes a WAL with a bad header for an empty one. The header is on the disk before any frame is written. */
function inspectWithoutHeader(file: OpenFile, shape: WalShape): WalReport {
  const frames = frameCount(file, shape);
  let lostCommits = 0;
  for (const frame of walFrames(file, shape))
    if (frame.present && frame.valid && frame.commitPages !== 0) lostCommits++;
  const fault = `The header of the write-ahead log is broken (${shape.headerFault})`;
  return frames === 0
    ? {
        state: "torn",
        frames,
        committedFrames: 0,
        lostCommits,
        lossProven: false,
        detail: `${fault}; it holds no frames.`,
      }
    : {
        state: "damaged",
        frames,
        committedFrames: 0,
        lostCommits,
        lossProven: lostCommits > 0,
        detail: `${fault}: SQLite would drop all of its ${frames} frames, ${lostCommits} intact commits among them.`,
      };
}

function inspectFrames(file: OpenFile, shape: WalShape): WalReport {
  const frames = frameCount(file, shape);
  let committedFrames = 0;
  let end: WalFrame | undefined; // the first frame that SQLite will not take
  let presentAfterEnd = false;
  let lostCommits = 0;
  let isBehindCommit = false; // in a run of valid frames, or in the bad one before it
  let lossProven = false;
  for (const frame of walFrames(file, shape)) {
    const isCurrent = frame.salt1 === shape.salt1 && frame.salt2 === shape.salt2;
    const isCommit = frame.commitPages !== 0;
    if (end === undefined) {
      if (isCurrent && frame.valid) {
        if (isCommit) committedFrames = frame.index;
        continue;
      }
      end = frame;
    }
    if (!frame.valid) isBehindCommit = false;
    if (!frame.present) continue;
    presentAfterEnd = true;
    if (isCommit && frame.valid) {
      lostCommits++;
      // A transaction is begun after the one before has been acknowledged, and continues its checksum; what remains of
      // unacknowledged ones is a single transaction in each unbroken run. Nor do those change a salt and leave the rest.
      lossProven ||= isBehindCommit || !isCurrent || (end.present && end.valid);
    }
    if (isCommit) isBehindCommit = true;
  }
  const isEndBad = end !== undefined && (presentAfterEnd || (end.salt1 === 0 && end.salt2 === 0));
  const firstBadFrame = isEndBad ? end?.index : isTailTorn(file, shape, end === undefined) ? frames + 1 : undefined;
  const counts = { frames, committedFrames, lostCommits, lossProven };
  if (firstBadFrame === undefined) {
    const unfinished = (end?.index ?? frames + 1) - 1 - committedFrames;
    const older = frames - committedFrames - unfinished;
    return {
      ...counts,
      state: "clean",
      detail: `${committedFrames} committed frames, ${unfinished} of a transaction that was never committed, ${older} left over from before.`,
    };
  }
  const stop = `Frame ${firstBadFrame} of ${frames} is bad; SQLite would stop after frame ${committedFrames}`;
  if (lostCommits > 0) {
    const doubt = lossProven
      ? ""
      : " They may be what a power cut or a full disk left of a commit that was never acknowledged.";
    return {
      ...counts,
      state: "damaged",
      firstBadFrame,
      detail: `${stop} and lose later commits that are intact: ${lostCommits}.${doubt}`,
    };
  }
  return {
    ...counts,
    state: "torn",
    firstBadFrame,
    detail:
      `${stop}, and no intact commit follows. A write that a power cut, a full disk or a rollback left unfinished looks like this, ` +
      "and so does damage to the very last commit: they can't be told apart.",
  };
}

/** Less than a frame at the end: a write of this generation that was cut, not what a truncated older one left. */
function isTailTorn(file: OpenFile, shape: WalShape, follows: boolean): boolean {
  const tailBytes = (file.sizeBytes - WAL_HEADER_BYTES) % (FRAME_HEADER_BYTES + shape.pageSizeBytes);
  if (tailBytes <= 0) return false;
  if (tailBytes < 16) return follows;
  const head = Buffer.alloc(16);
  readBytes(file.fd, head, file.sizeBytes - tailBytes);
  const [salt1, salt2] = [head.readUInt32BE(8), head.readUInt32BE(12)];
  return (salt1 === shape.salt1 && salt2 === shape.salt2) || (follows && salt1 === 0 && salt2 === 0);
}
