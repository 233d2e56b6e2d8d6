import { join } from "node:path";
import { pino } from "pino";
import { expect, test } from "vitest";
import { systemClock } from "../../edge/kernel/clock.ts";
import { polledFactory } from "../../test/support/block-samples.ts";
import { blockOf, noSignal, put, readingsIn, readingsOf } from "../../test/support/lake.ts";
import { compactOnce, expectTidy, followOnce, glob, lakeBench, manifestPaths } from "../../test/support/lake-bench.ts";
import { tempFolder } from "../../test/support/temp-folder.ts";
import type { StoredEvent } from "../contract/event.ts";
import { LakeWriter } from "./lake-writer.ts";
import { filesOf } from "./place/place.ts";

const logger = pino({ level: "silent" });
const streams = polledFactory(60);

test("everything that is in the feed comes into the lake, once; what is new later, too", async () => {
  await using own = await lakeBench(tempFolder());
  const [first = [], second = [], third = []] = streams;
  await put(own.store, blockOf(first.slice(0, 30)), blockOf(second), blockOf(third, "oslo"));
  await followOnce(own);
  expect(await readingsIn(glob(own.folder))).toEqual(readingsOf([...first.slice(0, 30), ...second, ...third]));
  await followOnce(own);
  await put(own.store, blockOf(first.slice(30)));
  await followOnce(own);
  expect(await readingsIn(glob(own.folder))).toEqual(readingsOf([...first, ...second, ...third]));
  await expectTidy(own);
  expect((await manifestPaths(own.folder)).map((path) => path.split("/").slice(0, 3).join("/"))).toEqual([
    "readings/factory=oslo/date=2026-05-28",
    "readings/factory=redmond/date=2026-05-28",
    "readings/factory=redmond/date=2026-05-28",
  ]);
  const { rows } = await own.database.query<{ documents: number }>(
    "SELECT sum(documents)::bigint AS documents FROM model.checkpoint WHERE projection = 'lake' AND continuation IS NOT NULL",
  );
  expect(rows).toEqual([{ documents: 4 }]);
});

test("a large backlog goes in several batches, each within its bound", async () => {
  await using own = await lakeBench(tempFolder());
  await put(own.store, ...streams.map((stream) => blockOf(stream)));
  await followOnce(own, { rowsMax: 2_000 });
  expect(await readingsIn(glob(own.folder))).toEqual(readingsOf(streams.flat()));
  expect((await manifestPaths(own.folder)).length).toBeGreaterThan(3);
  await expectTidy(own);
});

test("two writers: one works, the other takes over when it ends", async () => {
  await using own = await lakeBench(tempFolder());
  await put(own.store, blockOf(streams[0] as StoredEvent[]));
  const ends = [new AbortController(), new AbortController()];
  const { database, store, folder } = own;
  const runs = ends.map(({ signal }) =>
    new LakeWriter({ store, database, place: { folder }, clock: systemClock, logger, flushMs: 20 }).run(
      signal,
      () => undefined,
    ),
  );
  for (const [i, end] of ends.entries()) {
    await expect.poll(() => manifestPaths(folder), { timeout: 10_000 }).toHaveLength(i + 1);
    end.abort();
    await runs[i];
    if (i === 0) await put(store, blockOf(streams[1] as StoredEvent[]));
  }
  expect(await readingsIn(glob(folder))).toEqual(readingsOf([...(streams[0] ?? []), ...(streams[1] ?? [])]));
});

test("merging: the same rows as before, sorted, in one file a partition; readers see it at once, replaced files go after the grace", async () => {
  await using own = await lakeBench(tempFolder());
  for (const part of [0, 1, 2, 3]) {
    const documents = streams.slice(0, 6).map((stream) => blockOf(stream.slice(part * 15, part * 15 + 15)));
    await put(own.store, ...documents);
    await followOnce(own);
  }
  const before = await readingsIn(glob(own.folder));
  const merged = await compactOnce(own, 600_000);
  expect(merged).toMatchObject({ partitions: 1, filesBefore: 4, filesAfter: 1, rows: before.length, removed: 0 });
  expect(merged.bytesAfter).toBeLessThan(merged.bytesBefore);
  const [path, ...others] = await manifestPaths(own.folder);
  expect(others).toEqual([]);
  expect(await readingsIn([join(own.folder, path as string)])).toEqual(before);
  expect(await filesOf({ folder: own.folder }).list(noSignal)).toHaveLength(5);
  const again = await compactOnce(own);
  expect(again).toMatchObject({ partitions: 0, removed: 4 });
  expect(await readingsIn(glob(own.folder))).toEqual(before);
  await expectTidy(own);
});
