import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pino } from "pino";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Azurite, startAzurite } from "../../test/support/azurite.ts";
import { polledFactory } from "../../test/support/block-samples.ts";
import { blockOf, noSignal, put, readingsIn, readingsOf } from "../../test/support/lake.ts";
import { followOnce, lakeBench } from "../../test/support/lake-bench.ts";
import { tempFolder } from "../../test/support/temp-folder.ts";
import type { StoredEvent } from "../contract/event.ts";
import { compactLake } from "./compact-lake.ts";
import { readManifest } from "./manifest.ts";
import { openLake } from "./open-lake.ts";
import { filesOf, type LakePlace } from "./place/place.ts";
import { readLake } from "./read-lake.ts";

const logger = pino({ level: "silent" });
let azurite: Azurite;
beforeAll(async () => {
  azurite = await startAzurite();
});
afterAll(async () => {
  await azurite[Symbol.asyncDispose]();
});

function placeOf(container: string): LakePlace {
  return { blob: azurite.connectionString, container, prefix: "company/lake" };
}

test("a lake in Blob Storage: written, merged, asked and exported as one in a folder", async () => {
  const [first = [], second = []] = polledFactory(40);
  const cacheFolder = tempFolder();
  const place = filesOf(placeOf("first"), { cacheFolder });
  await using own = await lakeBench(tempFolder());
  await put(own.store, blockOf(first.slice(0, 20)), blockOf(second, "oslo"));
  await followOnce(own, { place });
  await put(own.store, blockOf(first.slice(20)));
  await followOnce(own, { place });
  const cache = join(cacheFolder, "cache");
  const everything = readingsOf([...first, ...second]);
  const merged = await compactLake({ database: own.database, place, logger, signal: noSignal, graceMs: 0 });
  expect(merged).toMatchObject({ partitions: 1, filesBefore: 2, filesAfter: 1, removed: 2 });
  const manifest = await readManifest(place, noSignal);
  expect(await place.list(noSignal)).toEqual(manifest.map(({ path }) => path));
  const local = await place.local(manifest, noSignal);
  expect(await readingsIn(local.paths as string[])).toEqual(everything);
  local.done();
  const lake = openLake({ place: placeOf("first"), cacheFolder });
  const { rows } = await lake.query("SELECT factory, count(*) FROM readings GROUP BY factory ORDER BY factory");
  const samplesIn = (events: readonly StoredEvent[]): number => readingsOf(events).length;
  expect(rows).toEqual([
    ["oslo", samplesIn(second)],
    ["redmond", samplesIn(first)],
  ]);
  let exported = 0;
  for await (const chunk of readLake(place, { factory: "oslo", fromMs: 0, toMs: 9e12 })) exported += chunk.rows;
  expect(exported).toBe(samplesIn(second));
  expect(readdirSync(cache, { recursive: true }).filter((name) => String(name).endsWith(".part"))).toEqual([]);
});

test("what is kept of a lake on this machine has a bound", async () => {
  const own = filesOf(placeOf("bounded"), { cacheFolder: tempFolder() });
  const folder = await own.stagingFolder();
  const bytes = "x".repeat(1_000);
  const wishes = ["a", "b", "c"].map((name) => ({
    path: `readings/factory=f/date=2026-06-01/${name}.parquet`,
    bytes: 1_000,
  }));
  for (const { path } of wishes) {
    writeFileSync(join(folder, "file"), bytes);
    await own.put(join(folder, "file"), path, noSignal);
  }
  const cacheFolder = tempFolder();
  const small = filesOf(placeOf("bounded"), { cacheFolder, cacheBytesMax: 2_500 });
  await expect(small.local(wishes, noSignal)).rejects.toMatchObject({ code: "LAKE_QUERY" });
  for (const wish of wishes) (await small.local([wish], noSignal)).done();
  const kept = readdirSync(cacheFolder, { recursive: true }).filter((name) => String(name).endsWith(".parquet"));
  expect(kept).toHaveLength(2);
  const none = await small.local([{ path: "readings/none.parquet", bytes: 1 }], noSignal);
  expect(none.paths).toEqual([undefined]);
});

test("a storage account that does not answer, or is none, is said to be so", async () => {
  expect(() => filesOf({ blob: "nonsense", container: "c", prefix: "" })).toThrow(/names no account/);
  const refused = filesOf({
    ...placeOf("x"),
    blob: azurite.connectionString.replace(/AccountKey=[^;]+/, "AccountKey=bm8="),
  });
  await expect(refused.list(noSignal)).rejects.toMatchObject({ code: "LAKE_UNAVAILABLE" });
});
