import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { smallDiskObstacle, withSmallDisk } from "./small-disk.ts";
import { tempFolder } from "./temp-folder.ts";

const child = join(import.meta.dirname, "small-disk-child.ts");
const obstacle = smallDiskObstacle();

async function seen(scenario: string): Promise<unknown> {
  const [first, ...others] = await withSmallDisk(64 << 20, child, [scenario]);
  expect(others).toEqual([]);
  return first;
}

describe.skipIf(obstacle !== undefined)("a small disk", () => {
  test("is full to the byte, refuses with ENOSPC, and has room again when released", async () => {
    expect(await seen("file")).toEqual({ exact: "fine", more: "ENOSPC", free: 8_192, afterRelease: "fine" });
  });

  test("gives SQLITE_FULL when the WAL can't grow; nothing of the refused commit is there, and it works when there is space", async () => {
    expect(await seen("wal-growth")).toEqual({
      accepted: 3,
      refusal: "SQLITE_FULL",
      again: "SQLITE_FULL",
      // What the refused write left behind the last commit.
      wal: "torn",
      append: "fine",
      rows: 4,
      integrity: "ok",
    });
  });

  test("lets commits use the WAL's old space at 0 bytes free; that the checkpoint behind a commit fails is not told", async () => {
    const found = await seen("wal-overwrite");
    expect(found).toMatchObject({ refusal: "SQLITE_FULL", append: "fine", integrity: "ok" });
    expect((found as { accepted: number }).accepted).toBeGreaterThan(10);
  });

  test("gives SQLITE_FULL for a checkpoint that can't grow the database; close hides it, and nothing is lost", async () => {
    expect(await seen("checkpoint")).toEqual({
      explicit: "SQLITE_FULL",
      rowsWhenFull: 50,
      close: "fine",
      rowsReopened: 50,
      append: "fine",
      rows: 51,
      integrity: "ok",
    });
  });

  test("gives SQLITE_IOERR_SHMSIZE when -shm can't grow; the refused commit is in the WAL, and a crash brings it back", async () => {
    expect(await seen("shm-growth")).toEqual({
      refusal: "SQLITE_IOERR_SHMSIZE",
      rowsWhenRefused: 0,
      rowsAfterCrash: 1,
      append: "fine",
      rows: 1,
      integrity: "ok",
    });
  });

  test("lets nobody open a database whose -shm is not there, not even to read", async () => {
    expect(await seen("open")).toEqual({
      readWrite: "SQLITE_IOERR_SHMSIZE",
      readonly: "SQLITE_IOERR_SHMSIZE",
      fresh: "SQLITE_FULL",
      readWith32KiB: "fine",
      appendWith32KiB: "SQLITE_FULL",
    });
  });

  test("tells why a program failed", async () => {
    const folder = tempFolder();
    mkdirSync(join(folder, "p"));
    const program = join(folder, "p", "fails.ts");
    writeFileSync(program, 'throw new Error("it broke");');
    await expect(withSmallDisk(65_536, program)).rejects.toThrow(/it broke/);
  });
});

test("where there can be no small disk, one sentence says what is missing", () => {
  const code = `import { smallDiskObstacle } from ${JSON.stringify(join(import.meta.dirname, "small-disk.ts"))};
    console.log(smallDiskObstacle());`;
  const { stdout } = spawnSync(process.execPath, ["--input-type=module", "-e", code], {
    encoding: "utf8",
    env: { PATH: "/nowhere" },
  });
  expect(stdout).toMatch(/^A small disk needs [^\n]*\.\n$/);
});
