import { copyFileSync, readFileSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { tempFolder } from "../../../test/support/temp-folder.ts";
import { inspectWal, type WalReport } from "./wal-check.ts";
import { addToSums } from "./wal-frames.ts";

/** A database and its WAL as a crash leaves them, and how many rows there were at each committed number of frames. */
interface Crash {
  readonly folder: string;
  readonly db: Buffer;
  readonly wal: Buffer;
  readonly frameBytes: number;
  readonly rowsAtFrames: ReadonlyMap<number, number>;
}

function crash(
  options: { pageSizeBytes?: number; transactions?: number; before?: (d: Database.Database) => void } = {},
) {
  const { pageSizeBytes = 4_096, transactions = 8 } = options;
  const folder = tempFolder();
  const path = join(folder, "made.db");
  const database = new Database(path);
  database.pragma(`page_size = ${pageSizeBytes}`);
  database.pragma("journal_mode = WAL");
  database.pragma("wal_autocheckpoint = 0");
  database.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, data BLOB)");
  database.pragma("wal_checkpoint(TRUNCATE)");
  options.before?.(database);
  // A reader of the time before keeps every checkpoint from doing anything, so that SQLite can be asked for its frames.
  const reader = new Database(path);
  reader.exec("BEGIN; SELECT count(*) FROM t");
  const insert = database.prepare("INSERT INTO t (data) VALUES (?)");
  const rowsAtFrames = new Map([[0, rowsOf(database)]]);
  for (let n = 1; n <= transactions; n++) {
    database.transaction(() => {
      for (let row = 0; row < n; row++) insert.run(Buffer.alloc(900 + 300 * n, n));
    })();
    rowsAtFrames.set(framesUsed(database), rowsOf(database));
  }
  const result: Crash = {
    folder,
    db: readFileSync(path),
    wal: readFileSync(`${path}-wal`),
    frameBytes: pageSizeBytes + 24,
    rowsAtFrames,
  };
  reader.close();
  database.close();
  return result;
}

function rowsOf(database: Database.Database): number {
  return database.prepare("SELECT count(*) FROM t").pluck().get() as number;
}

/** SQLite's own number of frames that it uses. */
function framesUsed(database: Database.Database): number {
  return (database.pragma("wal_checkpoint(PASSIVE)") as [{ log: number }])[0].log;
}

/** The report, after SQLite itself opened the very same files and agreed. */
function inspect({ folder, db, rowsAtFrames }: Crash, wal: Buffer): WalReport {
  const path = join(folder, "copy.db");
  writeFileSync(path, db);
  writeFileSync(`${path}-wal`, wal);
  const report = inspectWal(`${path}-wal`);
  const database = new Database(path);
  expect(rowsOf(database)).toBe(rowsAtFrames.get(report.committedFrames));
  expect(framesUsed(database)).toBe(report.committedFrames);
  database.close();
  return report;
}

function flipped(bytes: Buffer, at: number, bit = 0): Buffer {
  const copy = Buffer.from(bytes);
  copy[at] = (copy[at] ?? 0) ^ (1 << bit);
  return copy;
}

/** Frame numbers of the commits, in order. */
function commitsOf({ wal, frameBytes }: Crash): number[] {
  const frames = (wal.length - 32) / frameBytes;
  return Array.from({ length: frames }, (_, n) => n + 1).filter(
    (n) => wal.readUInt32BE(frameAt(n, frameBytes) + 4) !== 0,
  );
}

function frameAt(index: number, frameBytes: number): number {
  return 32 + (index - 1) * frameBytes;
}

test("no file and an empty file are none; a header alone is clean", () => {
  const path = join(tempFolder(), "x-wal");
  expect(inspectWal(path).state).toBe("none");
  writeFileSync(path, "");
  expect(inspectWal(path)).toMatchObject({ state: "none", frames: 0, committedFrames: 0, lostCommits: 0 });
  writeFileSync(path, crash().wal.subarray(0, 32));
  expect(inspectWal(path)).toMatchObject({ state: "clean", frames: 0, committedFrames: 0 });
  writeFileSync(path, Buffer.alloc(32));
  expect(inspectWal(path).state).toBe("torn");
});

test.each([512, 1_024, 4_096, 65_536])(
  "an intact WAL of %i-byte pages is clean and used to its end",
  (pageSizeBytes) => {
    const made = crash({ pageSizeBytes, transactions: 4 });
    const frames = commitsOf(made).at(-1);
    expect(inspect(made, made.wal)).toMatchObject({ state: "clean", frames, committedFrames: frames, lostCommits: 0 });
  },
);

test("checksums in the other byte order are read too", () => {
  const made = crash({ transactions: 4 });
  const swapped = withSums(made, true);
  const frames = commitsOf(made).at(-1) ?? 0;
  expect(inspect(made, swapped)).toMatchObject({ state: "clean", frames, committedFrames: frames });
  const broken = flipped(swapped, frameAt(1, made.frameBytes) + 30);
  expect(inspect(made, broken)).toMatchObject({ state: "damaged", firstBadFrame: 1, lostCommits: 3, lossProven: true });
});

describe("one flipped bit", () => {
  const start = () => {
    const made = crash();
    const commits = commitsOf(made);
    return { made, commits, lastCommit: commits.at(-1) ?? 0 };
  };
  const behind = (commits: number[], frame: number): number => commits.filter((commit) => commit > frame).length;

  test("at every bit of the header: nothing of the WAL is used, and every commit is counted as lost", () => {
    const { made, commits, lastCommit } = start();
    for (let bit = 0; bit < 32 * 8; bit++) {
      expect(inspect(made, flipped(made.wal, bit >> 3, bit & 7))).toMatchObject({
        state: "damaged",
        frames: lastCommit,
        committedFrames: 0,
        lostCommits: commits.length,
        lossProven: true,
      });
    }
  });

  test("in every byte of a frame's header in the middle, before a commit frame and behind one", () => {
    const { made, commits } = start();
    for (const frame of [(commits[3] ?? 0) - 1, (commits[3] ?? 0) + 1])
      for (let bit = 0; bit < 24 * 8; bit += 5)
        expect(inspect(made, flipped(made.wal, frameAt(frame, made.frameBytes) + (bit >> 3), bit & 7))).toMatchObject({
          state: "damaged",
          firstBadFrame: frame,
          committedFrames: commits.filter((commit) => commit < frame).at(-1),
          lostCommits: behind(commits, frame),
          lossProven: true,
        });
  });

  test("in a salt alone is proof, for the checksum still says what the frame is", () => {
    const { made, commits, lastCommit } = start();
    const lastBegin = (commits.at(-2) ?? 0) + 1;
    for (const frame of [lastCommit, lastBegin])
      for (const at of [8, 15])
        expect(inspect(made, flipped(made.wal, frameAt(frame, made.frameBytes) + at))).toMatchObject({
          state: "damaged",
          firstBadFrame: frame,
          lostCommits: 1,
          lossProven: true,
        });
  });

  test("anywhere in any frame: damaged while a commit follows, torn in the last commit frame", () => {
    const { made, commits, lastCommit } = start();
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: lastCommit }),
        fc.integer({ min: 0, max: made.frameBytes * 8 - 1 }),
        (frame, bit) => {
          const byte = bit >> 3;
          const isSalt = byte >= 8 && byte < 16;
          const isLast = frame === lastCommit;
          const isCommit = commits.includes(frame);
          expect(inspect(made, flipped(made.wal, frameAt(frame, made.frameBytes) + byte, bit & 7))).toMatchObject({
            // A flipped salt leaves the checksum right, which proves what the frame is.
            state: isLast && !isSalt ? "torn" : "damaged",
            frames: lastCommit,
            firstBadFrame: frame,
            committedFrames: commits.filter((commit) => commit < frame).at(-1) ?? 0,
            lostCommits: behind(commits, frame) + (isSalt && isCommit ? 1 : 0),
          });
        },
      ),
      { numRuns: 150 },
    );
  });

  test("in the last transaction, before its commit frame, may be a write that the power cut reordered: not proven", () => {
    const { made, commits } = start();
    const report = inspect(made, flipped(made.wal, frameAt((commits.at(-2) ?? 0) + 1, made.frameBytes) + 100));
    expect(report).toMatchObject({ state: "damaged", lostCommits: 1, lossProven: false });
    expect(report.detail).toContain("never acknowledged");
  });

  test("in the data of the last but one commit frame is proven: the next transaction began after it", () => {
    const { made, commits } = start();
    const report = inspect(made, flipped(made.wal, frameAt(commits.at(-2) ?? 0, made.frameBytes) + 100));
    expect(report).toMatchObject({ state: "damaged", lostCommits: 1, lossProven: true });
  });
});

test("4 KiB of zeros or noise anywhere: committedFrames is SQLite's, and a commit behind is never called clean", () => {
  const made = crash();
  const commits = commitsOf(made);
  fc.assert(
    fc.property(fc.integer({ min: 0, max: made.wal.length - 4_096 }), fc.option(fc.integer()), (at, noise) => {
      const wal = Buffer.from(made.wal);
      wal.fill(noise === null ? 0 : `noise ${noise}`, at, at + 4_096);
      const report = inspect(made, wal);
      const lastHit = Math.floor((at + 4_095 - 32) / made.frameBytes) + 1;
      // The frame behind the hole has nothing to be checked against; from the next on, commits are counted.
      const surely = commits.filter((commit) => commit > lastHit + 1).length;
      expect(report.lostCommits).toBeGreaterThanOrEqual(surely);
      if (lastHit < (commits.at(-1) ?? 0)) expect(report.state).not.toBe("clean");
      if (surely > 0) expect(report.state).toBe("damaged");
    }),
    { numRuns: 60 },
  );
});

test("a file cut anywhere, or ending in zeros, is torn; clean where the cut is between frames", () => {
  const made = crash();
  const commits = commitsOf(made);
  fc.assert(
    fc.property(fc.integer({ min: 33, max: made.wal.length - 1 }), (length) => {
      const whole = Math.floor((length - 32) / made.frameBytes);
      expect(inspect(made, made.wal.subarray(0, length))).toMatchObject({
        state: (length - 32) % made.frameBytes === 0 ? "clean" : "torn",
        frames: whole,
        committedFrames: commits.filter((commit) => commit <= whole).at(-1) ?? 0,
      });
    }),
    { numRuns: 60 },
  );
  // Space that a file system gave to the file, but no data yet.
  for (const zeros of [3, 20, made.frameBytes, made.frameBytes + 20])
    expect(inspect(made, Buffer.concat([made.wal, Buffer.alloc(zeros)]))).toMatchObject({
      state: "torn",
      committedFrames: commits.at(-1),
    });
  const between = made.wal.subarray(0, frameAt(commits.at(-1) ?? 0, made.frameBytes));
  expect(inspect(made, between)).not.toHaveProperty("firstBadFrame");
});

describe("what is normal", () => {
  test("frames of an older generation after the present ones, also cut by a size limit", () => {
    const before = (database: Database.Database): void => {
      const insert = database.prepare("INSERT INTO t (data) VALUES (?)");
      for (let n = 0; n < 60; n++) insert.run(Buffer.alloc(3_000, 77));
      database.pragma("wal_checkpoint(RESTART)");
    };
    const made = crash({ before, transactions: 3 });
    const used = [...made.rowsAtFrames.keys()].at(-1) ?? 0;
    const frames = (made.wal.length - 32) / made.frameBytes;
    expect(frames).toBeGreaterThan(used);
    expect(inspect(made, made.wal)).toMatchObject({ state: "clean", frames, committedFrames: used, lostCommits: 0 });
    expect(inspect(made, made.wal.subarray(0, -700)).state).toBe("clean");
    const bad = flipped(made.wal, frameAt(2, made.frameBytes) + 500);
    expect(inspect(made, bad)).toMatchObject({ state: "damaged", firstBadFrame: 2 });
    // The last present frame's own damage, in front of old frames: their valid commits are not of this generation.
    expect(inspect(made, flipped(made.wal, frameAt(used, made.frameBytes) + 500))).toMatchObject({
      state: "torn",
      firstBadFrame: used,
      lostCommits: 0,
    });
  });

  test("frames of a transaction that was never committed", () => {
    const made = crash({ transactions: 3 });
    const [, second = 0, third = 0] = commitsOf(made);
    expect(third).toBeGreaterThan(second + 1);
    const report = inspect(made, made.wal.subarray(0, frameAt(third, made.frameBytes)));
    expect(report).toMatchObject({ state: "clean", frames: third - 1, committedFrames: second });
    expect(report.detail).toContain(`${third - 1 - second} of a transaction that was never committed`);
  });

  test("commits that were refused after they had been written look lost; that they were acknowledged is not said", () => {
    const folder = tempFolder();
    const made = crash({ transactions: 2 });
    // The WAL after one more transaction of so many rows, each time from the same state.
    const next = (rows: number): Buffer => {
      const path = join(folder, `${rows}.db`);
      writeFileSync(path, made.db);
      writeFileSync(`${path}-wal`, made.wal);
      const database = new Database(path);
      database.pragma("wal_autocheckpoint = 0");
      const insert = database.prepare("INSERT INTO t (data) VALUES (?)");
      database.transaction(() => {
        for (let row = 0; row < rows; row++) insert.run(Buffer.alloc(3_000, rows));
      })();
      const wal = readFileSync(`${path}-wal`);
      database.close();
      return wal;
    };
    const [refused, refusedToo, accepted] = [next(9), next(5), next(1)];
    const wal = Buffer.concat([accepted, refusedToo.subarray(accepted.length), refused.subarray(refusedToo.length)]);
    expect(wal.length).toBe(refused.length);
    writeFileSync(join(folder, "x-wal"), wal);
    expect(inspectWal(join(folder, "x-wal"))).toMatchObject({
      state: "damaged",
      committedFrames: (accepted.length - 32) / made.frameBytes,
      lostCommits: 2,
      lossProven: false,
    });
  });

  test("what a transaction too large for the cache wrote before it was rolled back: torn, nothing lost", () => {
    const path = join(tempFolder(), "spill.db");
    const database = new Database(path);
    database.pragma("journal_mode = WAL");
    database.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, data BLOB); PRAGMA cache_size = 5; BEGIN");
    for (let n = 0; n < 40; n++) database.prepare("INSERT INTO t (data) VALUES (?)").run(Buffer.alloc(3_000, n));
    database.exec("ROLLBACK; INSERT INTO t (data) VALUES (x'01')");
    const copy = join(tempFolder(), "copy-wal");
    copyFileSync(`${path}-wal`, copy);
    expect(inspectWal(copy)).toMatchObject({ state: "torn", committedFrames: framesUsed(database), lostCommits: 0 });
    database.close();
  });
});

test("a frame for page 0 ends the chain, however right its checksum", () => {
  const made = crash({ transactions: 3 });
  const frame = (commitsOf(made)[0] ?? 0) + 1;
  made.wal.writeUInt32BE(0, frameAt(frame, made.frameBytes));
  expect(inspect(made, withSums(made, false))).toMatchObject({ state: "damaged", firstBadFrame: frame });
});

test("a version that SQLite does not know is said so", () => {
  const made = crash({ transactions: 2 });
  const wal = Buffer.from(made.wal);
  wal.writeUInt32BE(3_008_000, 4);
  const sums = { a: 0, b: 0 };
  addToSums(wal, 0, 24, false, sums);
  wal.writeInt32BE(sums.a, 24);
  wal.writeInt32BE(sums.b, 28);
  const path = join(tempFolder(), "x-wal");
  writeFileSync(path, wal);
  expect(inspectWal(path)).toMatchObject({ state: "damaged", committedFrames: 0 });
  expect(inspectWal(path).detail).toContain("3008000");
  truncateSync(path, 40);
  expect(statSync(path).size).toBe(40);
  expect(inspectWal(path).state).toBe("torn");
});

/** The same WAL with its checksums computed anew, as a machine of either byte order would have written them. */
function withSums({ wal, frameBytes }: Crash, bigEndian: boolean): Buffer {
  const copy = Buffer.from(wal);
  copy.writeUInt32BE(bigEndian ? 0x377f0683 : 0x377f0682, 0);
  const sums = { a: 0, b: 0 };
  addToSums(copy, 0, 24, bigEndian, sums);
  copy.writeInt32BE(sums.a, 24);
  copy.writeInt32BE(sums.b, 28);
  for (let at = 32; at < copy.length; at += frameBytes) {
    addToSums(copy, at, at + 8, bigEndian, sums);
    addToSums(copy, at + 24, at + frameBytes, bigEndian, sums);
    copy.writeInt32BE(sums.a, at + 16);
    copy.writeInt32BE(sums.b, at + 20);
  }
  return copy;
}
