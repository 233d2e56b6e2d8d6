import { readdirSync } from "node:fs";
import { join } from "node:path";
import { pino } from "pino";
import { expect } from "vitest";
import type { Database } from "../../cloud-sync/database/database.ts";
import { type Compaction, compactLake } from "../../cloud-sync/lake/compact-lake.ts";
import { LakeWriter } from "../../cloud-sync/lake/lake-writer.ts";
import { readManifest } from "../../cloud-sync/lake/manifest.ts";
import type { LakeFiles } from "../../cloud-sync/lake/place/lake-files.ts";
import { filesOf, type LakePlace } from "../../cloud-sync/lake/place/place.ts";
import type { EventStore } from "../../cloud-sync/store/event-store.ts";
import { createPostgresEventStore } from "../../cloud-sync/store/postgres/postgres-event-store.ts";
import { systemClock } from "../../edge/kernel/clock.ts";
import { messageOf } from "../../edge/kernel/errors.ts";
import { noSignal } from "./lake.ts";
import { testDatabase } from "./postgres.ts";

const FLUSH_MS = 300_000;
const logger = pino({ level: "silent" });

/** An event store with its database, and a lake that follows it. */
export interface LakeBench extends AsyncDisposable {
  readonly url: string;
  readonly database: Database;
  readonly store: EventStore;
  readonly folder: string;
}

export async function lakeBench(folder: string): Promise<LakeBench> {
  const server = await testDatabase();
  const store = createPostgresEventStore({ database: server.database, clock: systemClock, logger });
  await store.ensure(noSignal);
  return { ...server, store, folder, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
}

/** Follows the feed to its end, then stops. */
export async function followOnce(
  { database, store, folder }: LakeBench,
  options: { rowsMax?: number; place?: LakePlace | LakeFiles } = {},
): Promise<void> {
  const end = new AbortController();
  // The lock of a process that was killed may be there for another moment; a long sleep is that of the end of the feed.
  const sleep = async (durationMs: number): Promise<void> => {
    if (durationMs === FLUSH_MS) end.abort();
    else await systemClock.sleep(20);
  };
  const clock = { ...systemClock, sleep };
  const writer = new LakeWriter({
    store,
    database,
    place: { folder },
    clock,
    logger,
    flushMs: FLUSH_MS,
    compactMs: 0,
    ...options,
  });
  let isReady = false;
  await writer.run(end.signal, () => {
    isReady = true;
  });
  expect(isReady).toBe(true);
}

export function glob(folder: string, kind = "readings"): string {
  return join(folder, kind, "**", "*.parquet");
}

export async function manifestPaths(folder: string): Promise<string[]> {
  return (await readManifest(filesOf({ folder }), noSignal)).map(({ path }) => path);
}

/** What a plain glob finds is what the manifest says, and nothing is left of what was on its way. */
export async function expectTidy({ folder, database }: LakeBench): Promise<void> {
  expect(await filesOf({ folder }).list(noSignal)).toEqual(await manifestPaths(folder));
  expect((await database.query("SELECT 1 FROM app.lake_intent")).rows).toEqual([]);
  expect(
    readdirSync(join(folder, "_staging"), { recursive: true, withFileTypes: true }).filter((e) => e.isFile()),
  ).toEqual([]);
}

/** Merges small files, once nobody else does. */
export async function compactOnce({ database, folder }: LakeBench, graceMs = 0): Promise<Compaction> {
  for (;;) {
    try {
      return await compactLake({ database, place: { folder }, logger, signal: noSignal, graceMs });
    } catch (error) {
      if (!/another process is merging/.test(messageOf(error))) throw error;
      await systemClock.sleep(20);
    }
  }
}
