import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { pino } from "pino";
import { expect, test } from "vitest";
import { systemClock } from "../../edge/kernel/clock.ts";
import { polledFactory } from "../../test/support/block-samples.ts";
import { blockOf, noSignal, put, readingsIn, readingsOf } from "../../test/support/lake.ts";
import { compactOnce, expectTidy, followOnce, glob, lakeBench, manifestPaths } from "../../test/support/lake-bench.ts";
import { tempFolder } from "../../test/support/temp-folder.ts";
import type { StoredEvent } from "../contract/event.ts";
import { RollupBuilder } from "../contract/rollup/rollup-builder.ts";
import type { SampleValue } from "../contract/sample.ts";
import { partitionOf } from "../store/telemetry-document.ts";
import { eventsDocument, rollupDocument } from "../store/write-telemetry.ts";
import { LakeCatalog } from "./lake-catalog.ts";
import { LakeCommit } from "./lake-commit.ts";
import { LakeWriter } from "./lake-writer.ts";
import { openLake } from "./open-lake.ts";
import { FolderFiles } from "./place/folder-files.ts";
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

test("zeros keep their signs, integers of 64 bits and texts their every digit, through a merge", async () => {
  await using own = await lakeBench(tempFolder());
  const values = [-0, 0, -0, 2n ** 63n, "-0", true, [-0, 1n], null, Number.NaN];
  const [event] = streams[0] as [StoredEvent];
  const timeMs = Date.UTC(2026, 5, 1);
  const events = Array.from({ length: 90 }, (_, i): StoredEvent => {
    const sample = { signal: "s", value: values[i % 9] as SampleValue, statusCode: 0, sourceTimestampMs: null };
    const samples = [{ ...sample, serverTimestampMs: null, receivedTimestampMs: timeMs + i }];
    return { ...event, seq: i + 1, type: "telemetry", timeMs: timeMs + i, data: { samples } } as StoredEvent;
  });
  for (const part of [0, 45]) {
    await put(own.store, blockOf(events.slice(part, part + 45)));
    await followOnce(own);
  }
  expect(await readingsIn(glob(own.folder))).toEqual(readingsOf(events));
  expect(await compactOnce(own)).toMatchObject({ filesBefore: 2, removed: 2 });
  expect(await readingsIn(glob(own.folder))).toEqual(readingsOf(events));
});

test("roll-ups, which may come twice, and what the cloud's models said are there, too", async () => {
  await using own = await lakeBench(tempFolder());
  const builder = new RollupBuilder();
  for (const minute of [29_670_000, 29_670_001]) builder.add(1, minute * 60_000, 5, 0);
  const range = { epoch: "e", machineId: "redmond/mill-07", firstSeq: 10, lastSeq: 20, firstOffset: 1, lastOffset: 2 };
  const part = { ...range, samples: 2, names: ["other", "load"], aggregates: builder.finish() };
  const document = rollupDocument(part, { factoryId: "redmond", deviceId: "box", enqueuedMs: 1 });
  const partition = partitionOf({ ...range, seq: 10 });
  const prediction: StoredEvent = {
    ...(streams[0]?.[0] as StoredEvent),
    epoch: "score:maintenance@1.0.0/e",
    type: "prediction",
    data: { requirement: "spindle", probability: 0.75 },
  } as StoredEvent;
  const scored = eventsDocument([prediction], { factoryId: "redmond", deviceId: "", enqueuedMs: 1 });
  for (const _ of [1, 2]) {
    await own.store.commit("telemetry", [{ partition, operations: [{ op: "upsert", document }] }], noSignal);
    await followOnce(own);
  }
  await own.store.commit(
    "scored_telemetry",
    [{ partition, operations: [{ op: "create", document: scored }] }],
    noSignal,
  );
  await followOnce(own);
  const lake = openLake({ place: { folder: own.folder } });
  const rollups = await lake.query(
    "SELECT signal, epoch_ms(time), count, minimum, mean, first_seq FROM rollups ORDER BY time",
  );
  expect(rollups.rows).toEqual([
    ["load", 29_670_000 * 60_000, 1, 5, 5, 10],
    ["load", 29_670_001 * 60_000, 1, 5, 5, 10],
  ]);
  const events = await lake.query("SELECT type, json_extract_string(data, 'requirement'), epoch FROM events");
  expect(events.rows).toEqual([["prediction", "spindle", "score:maintenance@1.0.0/e"]]);
});

test("a lake that another database has written is left alone", async () => {
  await using own = await lakeBench(tempFolder());
  await put(own.store, blockOf(streams[0] as StoredEvent[]));
  await followOnce(own);
  await using other = await lakeBench(own.folder);
  await expect(followOnce(other)).rejects.toMatchObject({ code: "LAKE_UNAVAILABLE" });
  expect(await manifestPaths(own.folder)).toHaveLength(1);
});

test.each([1, 2])(
  "a writer that was taken over without noticing, over %i files, commits nothing, and leaves no file",
  async (count) => {
    await using own = await lakeBench(tempFolder());
    const written = streams.slice(0, count);
    await put(own.store, ...written.map((events, i) => blockOf(events, `factory-${i}`)));
    const plain = new FolderFiles(own.folder);
    const overtaken = new Proxy(plain, {
      get(target, name) {
        if (name !== "put") return Reflect.get(target, name).bind?.(target) ?? Reflect.get(target, name);
        return async (...args: Parameters<FolderFiles["put"]>) => {
          const [staged, path] = args;
          if (path.endsWith(".parquet") && existsSync(staged)) {
            // The other one clears the folder where files wait; this one may have opened its file before.
            const bytes = readFileSync(staged);
            await new LakeCommit(new LakeCatalog(own.database), plain, "writer").recover(noSignal);
            mkdirSync(dirname(staged), { recursive: true });
            writeFileSync(staged, bytes);
          }
          await target.put(...args);
        };
      },
    });
    await expect(followOnce(own, { place: overtaken })).rejects.toMatchObject({ code: "LAKE_UNAVAILABLE" });
    expect(await plain.list(noSignal)).toEqual([]);
    await followOnce(own);
    expect(await readingsIn(glob(own.folder))).toEqual(readingsOf(written.flat()));
    await expectTidy(own);
  },
);
