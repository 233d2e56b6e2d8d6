import { copyFileSync, existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pino } from "pino";
import { afterAll, beforeAll, expect, test } from "vitest";
import { polledFactory } from "../../test/support/block-samples.ts";
import { blockOf, noSignal, readingsOf, storedOf } from "../../test/support/lake.ts";
import { tempFolder } from "../../test/support/temp-folder.ts";
import type { StoredEvent } from "../contract/event.ts";
import { BatchFiles } from "./batch-files.ts";
import { MANIFEST_PATH } from "./manifest.ts";
import { openLake } from "./open-lake.ts";
import { readLake } from "./read-lake.ts";
import { writeBatch } from "./write-batch.ts";

const [mill = [], lathe = []] = polledFactory(30);
let folder: string;
let path: string;

beforeAll(async () => {
  folder = tempFolder(() => undefined);
  const local = join(folder, "_staging");
  mkdirSync(local, { recursive: true });
  const files = new BatchFiles({ folder: local, name: "b", level: 1 });
  const documents = [blockOf(mill), blockOf(lathe, "o'slo")].map((document) => storedOf(document));
  await writeBatch(documents, files, pino({ level: "silent" }), noSignal);
  for (const file of files.files()) {
    mkdirSync(join(folder, file.path, ".."), { recursive: true });
    copyFileSync(file.localPath, join(folder, file.path));
    path = join(folder, file.path);
  }
  writeFileSync(join(folder, "secret.csv"), "a\n1\n");
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("the views have the partitions' columns and types that SQL computes with", async () => {
  const lake = openLake({ place: { folder } });
  const described = await lake.query("DESCRIBE readings");
  expect(described.rows.map(([name, type]) => `${name} ${type}`)).toEqual([
    "factory VARCHAR",
    "date DATE",
    "machine_id VARCHAR",
    "signal VARCHAR",
    "time TIMESTAMP",
    "source_time TIMESTAMP",
    "value DOUBLE",
    "text VARCHAR",
    "status_code BIGINT",
    "epoch VARCHAR",
    "seq BIGINT",
  ]);
  const { rows, columns } = await lake.query(
    "SELECT factory, min(date) AS day, count(*) AS n, min(time) AS first FROM readings GROUP BY factory ORDER BY factory",
  );
  expect(columns.map(({ name }) => name)).toEqual(["factory", "day", "n", "first"]);
  expect(rows.map(([factory, day, n]) => [factory, day, n])).toEqual([
    ["o'slo", "2026-05-28", readingsOf(lathe).length],
    ["redmond", "2026-05-28", readingsOf(mill).length],
  ]);
  expect((await lake.query("SELECT min(date) FROM readings")).rows).toEqual([["2026-05-28"]]);
  expect((await lake.query("SELECT * FROM events, rollups")).rows).toEqual([]);
  const cut = await lake.query("SELECT * FROM readings", { rowsMax: 3 });
  expect([cut.rows.length, cut.rowCount]).toEqual([3, readingsOf([...mill, ...lathe]).length]);
});

test.each([
  ["another file", () => `SELECT * FROM '${folder}/secret.csv'`],
  ["another file, around the corner", () => `SELECT * FROM read_text('${path}/../../../../secret.csv')`],
  ["the system's files", () => "SELECT * FROM read_text('/etc/passwd')"],
  ["which files there are", () => "SELECT * FROM glob('/etc/*')"],
  ["the network", () => "SELECT * FROM read_csv('http://127.0.0.1:1/x')"],
  ["COPY", () => `COPY (SELECT 1) TO '${folder}/stolen.csv'`],
  ["COPY over the lake's own file", () => `COPY (SELECT 1) TO '${path}' (FORMAT parquet)`],
  ["COPY behind EXPLAIN", () => `EXPLAIN ANALYZE COPY (SELECT 1) TO '${folder}/stolen.csv'`],
  ["ATTACH", () => `ATTACH '${folder}/stolen.db'`],
  ["EXPORT", () => `EXPORT DATABASE '${folder}/stolen'`],
  ["INSTALL", () => "INSTALL httpfs"],
  ["LOAD", () => "LOAD httpfs"],
  ["SET", () => "SET enable_external_access = true"],
  ["RESET", () => "RESET allowed_paths"],
  ["PRAGMA", () => "PRAGMA enable_profiling"],
  ["CREATE", () => "CREATE TABLE x AS SELECT 1"],
  ["DROP", () => "DROP VIEW readings"],
  ["CALL", () => "CALL pragma_version()"],
  ["a second statement", () => `SELECT 1; COPY (SELECT 1) TO '${folder}/stolen.csv'`],
  ["PREPARE", () => `PREPARE p AS COPY (SELECT 1) TO '${folder}/stolen.csv'`],
  ["a secret", () => "CREATE SECRET s (TYPE s3)"],
  ["nothing", () => "  "],
])("hostile SQL is refused, and does nothing: %s", async (_, sql) => {
  const lake = openLake({ place: { folder } });
  await expect(lake.query(sql())).rejects.toMatchObject({ code: "LAKE_QUERY" });
  for (const name of ["stolen", "stolen.csv", "stolen.db"]) expect(existsSync(join(folder, name))).toBe(false);
  expect((await lake.query("SELECT count(*) FROM readings")).rowCount).toBe(1);
});

test("wrong SQL is told with its place and a hint; one that is too large ends; one that is no longer wanted, too", async () => {
  const lake = openLake({ place: { folder }, memoryMb: 64, spillMb: 1 });
  await expect(lake.query("SELECT valu FROM readings")).rejects.toMatchObject({
    code: "LAKE_QUERY",
    message: expect.stringMatching(/valu[\s\S]*LINE 1[\s\S]*\^/),
    hint: expect.stringContaining("columns"),
  });
  await expect(lake.query("SELEC 1")).rejects.toMatchObject({ message: expect.stringContaining("LINE 1") });
  await expect(lake.query("SELECT list(a.range ORDER BY hash(a.range)) FROM range(20000000) a")).rejects.toMatchObject({
    code: "LAKE_QUERY",
    message: expect.stringMatching(/memory|temp/i),
  });
  const end = new AbortController();
  setTimeout(() => end.abort(new Error("enough")), 50);
  await expect(
    lake.query("SELECT count(*) FROM range(10000000) a, range(10000000) b WHERE a.range + b.range = -1", {
      signal: end.signal,
    }),
  ).rejects.toThrow("enough");
});

test("EXPLAIN of a SELECT is allowed; a manifest that names files outside of the lake gets none of them", async () => {
  const lake = openLake({ place: { folder } });
  expect((await lake.query("EXPLAIN SELECT count(*) FROM readings")).rows.length).toBeGreaterThan(0);
  mkdirSync(join(folder, "_manifest"));
  const file = {
    path: "../x.parquet",
    kind: "readings",
    factoryId: "",
    day: null,
    rows: 1,
    bytes: 1,
    minMs: null,
    maxMs: null,
  };
  writeFileSync(join(folder, MANIFEST_PATH), JSON.stringify({ format: "tailstock-lake", version: 1, files: [file] }));
  await expect(lake.query("SELECT * FROM readings")).rejects.toMatchObject({ code: "LAKE_UNAVAILABLE" });
  writeFileSync(join(folder, MANIFEST_PATH), "{");
  await expect(lake.query("SELECT * FROM readings")).rejects.toMatchObject({ code: "LAKE_UNAVAILABLE" });
  rmSync(join(folder, "_manifest"), { recursive: true });
});

test("readings as arrays: of one machine and range, all of an event together, in order", async () => {
  const [from, to] = [mill[5] as StoredEvent, mill[15] as StoredEvent];
  const seen: [seq: number, signal: string, value: number, timeMs: number][] = [];
  for await (const chunk of readLake(
    { folder },
    { machine: from.machineId, fromMs: from.timeMs - 500, toMs: to.timeMs - 500 },
  )) {
    expect([chunk.factoryId, chunk.machineId]).toEqual(["redmond", from.machineId]);
    for (let row = 0; row < chunk.rows; row++) {
      const signal = chunk.signals[chunk.signalIndex[row] as number] as string;
      seen.push([chunk.seqs[row] as number, signal, chunk.values[row] as number, chunk.timeMs[row] as number]);
    }
  }
  const expected = mill.slice(5, 15).flatMap((event) =>
    event.type !== "telemetry"
      ? []
      : event.data.samples
          .toSorted((a, b) => (a.signal < b.signal ? -1 : 1))
          .map((sample) => {
            const value = typeof sample.value === "string" || sample.value === null ? Number.NaN : Number(sample.value);
            return [event.seq, sample.signal, value, sample.receivedTimestampMs];
          }),
  );
  expect(seen).toEqual(expected);
  const some = readLake(
    { folder },
    { factory: "o'slo", fromMs: 0, toMs: 9e12, signals: [(expected[0] as [number, string])[1]] },
  );
  let rows = 0;
  for await (const chunk of some) rows += chunk.rows;
  expect(rows).toBe(
    lathe.filter((e) => e.type === "telemetry" && e.data.samples.some(({ signal }) => signal === expected[0]?.[1]))
      .length,
  );
  for await (const chunk of readLake({ folder }, { machine: "nobody", fromMs: 0, toMs: 9e12 }))
    expect(chunk).toBeUndefined();
});
