import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { expect, test } from "vitest";
import { polledFactory } from "../../test/support/block-samples.ts";
import { blockOf, put, readingsIn, readingsOf } from "../../test/support/lake.ts";
import {
  compactOnce,
  expectTidy,
  followOnce,
  glob,
  type LakeBench,
  lakeBench,
  manifestPaths,
} from "../../test/support/lake-bench.ts";
import { tempFolder } from "../../test/support/temp-folder.ts";
import type { StoredEvent } from "../contract/event.ts";

// Goal: each event is in the lake once, whenever the process is killed. Method: a child that kills itself before its nth step outside its
// own memory, for every n; after each, a process that starts again must leave the lake as if nothing had happened.
const CHILD = join(import.meta.dirname, "../../test/support/lake-killed-child.ts");

async function killedAt(work: string, { url, folder }: LakeBench, step: number): Promise<boolean> {
  const child = spawn(
    process.execPath,
    ["--disable-warning=ExperimentalWarning", CHILD, work, url, folder, String(step)],
    {
      stdio: ["ignore", "pipe", "inherit"],
    },
  );
  let printed = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    printed += text;
  });
  const [code, signal] = await once(child, "close");
  if (signal === "SIGKILL") return true;
  expect([code, printed]).toEqual([0, expect.stringMatching(/^survived/)]);
  return false;
}

/** Two machines in two factories, so that a batch is two files. */
function pieces(): StoredEvent[][] {
  const [first = [], second = []] = polledFactory(80);
  return Array.from({ length: 40 }, (_, i) => [...first.slice(2 * i, 2 * i + 2), ...second.slice(2 * i, 2 * i + 2)]);
}

/** Steps before the first that changes anything: looking up, and writing the manifest that was there. */
const WRITER_FIRST = 7;
const MERGE_FIRST = 5;

test.concurrent("a writer killed at every step", { timeout: 60_000 }, async ({ onTestFinished }) => {
  await using own = await lakeBench(tempFolder(onTestFinished));
  const done: StoredEvent[] = [];
  let kills = 0;
  for (const [i, piece] of pieces().entries()) {
    await put(own.store, blockOf(piece.slice(0, 2)), blockOf(piece.slice(2), "oslo"));
    done.push(...piece);
    const wasKilled = await killedAt("write", own, WRITER_FIRST + i);
    if (wasKilled) kills++;
    await followOnce(own);
    expect(await readingsIn(glob(own.folder))).toEqual(readingsOf(done));
    await expectTidy(own);
    if (!wasKilled) break;
  }
  expect(kills).toBe(12);
});

test.concurrent("merging killed at every step", { timeout: 60_000 }, async ({ onTestFinished }) => {
  await using own = await lakeBench(tempFolder(onTestFinished));
  const done: StoredEvent[] = [];
  let kills = 0;
  for (const [i, piece] of pieces().entries()) {
    await put(own.store, blockOf(piece.slice(0, 2)));
    done.push(...piece.slice(0, 2));
    await followOnce(own);
    const wasKilled = i > 0 && (await killedAt("compact", own, MERGE_FIRST + i - 1));
    if (wasKilled) kills++;
    const paths = await manifestPaths(own.folder);
    expect(await readingsIn(paths.map((path) => join(own.folder, path)))).toEqual(readingsOf(done));
    await compactOnce(own);
    expect(await readingsIn(glob(own.folder))).toEqual(readingsOf(done));
    await expectTidy(own);
    if (i > 0 && !wasKilled) break;
  }
  expect(kills).toBe(13);
});
