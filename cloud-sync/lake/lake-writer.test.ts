import { readdirSync } from "node:fs";
import { join } from "node:path";
import { pino } from "pino";
import { expect, test } from "vitest";
import { systemClock } from "../../edge/kernel/clock.ts";
import { polledFactory } from "../../test/support/block-samples.ts";
import { blockOf, noSignal, put, readingsIn, readingsOf } from "../../test/support/lake.ts";
import { testDatabase } from "../../test/support/postgres.ts";
import { tempFolder } from "../../test/support/temp-folder.ts";
import type { StoredEvent } from "../contract/event.ts";
import type { Database } from "../database/database.ts";
import type { EventStore } from "../store/event-store.ts";
import { createPostgresEventStore } from "../store/postgres/postgres-event-store.ts";
import { compactLake } from "./compact-lake.ts";
import { LakeWriter } from "./lake-writer.ts";
import { readManifest } from "./manifest.ts";
import { filesOf } from "./place/place.ts";

const logger = pino({ level: "silent" });
const streams = polledFactory(60);

interface Bench extends AsyncDisposable {
  readonly url: string;
  readonly database: Database;
  readonly store: EventStore;
  readonly folder: string;
}

async function bench(): Promise<Bench> {
  const server = await testDatabase();
  const store = createPostgresEventStore({ database: server.database, clock: systemClock, logger });
  await store.ensure(noSignal);
  return { ...server, store, folder: tempFolder(), [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
}

/** Follows the feed to its end, then stops. */
async function followOnce({ database, store, folder }: Bench, options: { rowsMax?: number } = {}): Promise<void> {
  const end = new AbortController();
  const clock = { ...systemClock, sleep: async () => end.abort() };
  const writer = new LakeWriter({ store, database, place: { folder }, clock, logger, compactMs: 0, ...options });
  let isReady = false;
  await writer.run(end.signal, () => {
    isReady = true;
  });
  expect(isReady).toBe(true);
}

function glob(folder: string, kind = "readings"): string {
  return join(folder, kind, "**", "*.parquet");
}

async function manifestPaths(folder: string): Promise<string[]> {
  return (await readManifest(filesOf({ folder }), noSignal)).map(({ path }) => path);
}

/** What a plain glob finds is what the manifest says, and nothing is left of what was on its way. */
async function expectTidy({ folder, database }: Bench): Promise<void> {
  expect(await filesOf({ folder }).list(noSignal)).toEqual(await manifestPaths(folder));
  expect((await database.query("SELECT 1 FROM app.lake_intent")).rows).toEqual([]);
  expect(
    readdirSync(join(folder, "_staging"), { recursive: true, withFileTypes: true }).filter((e) => e.isFile()),
  ).toEqual([]);
}

test("everything that is in the feed comes into the lake, once; what is new later, too", async () => {
  await using own = await bench();
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
  await using own = await bench();
  await put(own.store, ...streams.map((stream) => blockOf(stream)));
  await followOnce(own, { rowsMax: 2_000 });
  expect(await readingsIn(glob(own.folder))).toEqual(readingsOf(streams.flat()));
  expect((await manifestPaths(own.folder)).length).toBeGreaterThan(3);
  await expectTidy(own);
});

test("two writers: one works, the other takes over when it ends", async () => {
  await using own = await bench();
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
  await using own = await bench();
  for (const part of [0, 1, 2, 3]) {
    const documents = streams.slice(0, 6).map((stream) => blockOf(stream.slice(part * 15, part * 15 + 15)));
    await put(own.store, ...documents);
    await followOnce(own);
  }
  const before = await readingsIn(glob(own.folder));
  const merged = await compactLake({ database: own.database, place: { folder: own.folder }, logger, signal: noSignal });
  expect(merged).toMatchObject({ partitions: 1, filesBefore: 4, filesAfter: 1, rows: before.length, removed: 0 });
  expect(merged.bytesAfter).toBeLessThan(merged.bytesBefore);
  const [path, ...others] = await manifestPaths(own.folder);
  expect(others).toEqual([]);
  expect(await readingsIn([join(own.folder, path as string)])).toEqual(before);
  expect(await filesOf({ folder: own.folder }).list(noSignal)).toHaveLength(5);
  const again = await compactLake({
    database: own.database,
    place: { folder: own.folder },
    logger,
    signal: noSignal,
    graceMs: 0,
  });
  expect(again).toMatchObject({ partitions: 0, removed: 4 });
  expect(await readingsIn(glob(own.folder))).toEqual(before);
  await expectTidy(own);
});
