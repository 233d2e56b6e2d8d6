import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import { pino } from "pino";
import { decodeBlock } from "../../../cloud-sync/contract/block/block.ts";
import { encodeBlock } from "../../../cloud-sync/contract/block/block-builder.ts";
import type { StoredEvent } from "../../../cloud-sync/contract/event.ts";
import { Database } from "../../../cloud-sync/database/database.ts";
import { startEmbeddedPostgres } from "../../../cloud-sync/database/embedded/embedded-postgres.ts";
import { compactLake } from "../../../cloud-sync/lake/compact-lake.ts";
import { LakeWriter } from "../../../cloud-sync/lake/lake-writer.ts";
import { openLake } from "../../../cloud-sync/lake/open-lake.ts";
import { readLake } from "../../../cloud-sync/lake/read-lake.ts";
import { createPostgresEventStore } from "../../../cloud-sync/store/postgres/postgres-event-store.ts";
import { partitionOf } from "../../../cloud-sync/store/telemetry-document.ts";
import { blockDocument } from "../../../cloud-sync/store/write-telemetry.ts";
import { systemClock } from "../../../edge/kernel/clock.ts";
import { cellTicks } from "../data/cell-data.ts";
import type { Row } from "../run-sections.ts";

const CELLS = 20;
const SECONDS = 3_600;
const BLOCK_S = 60;
const FLUSH_S = 300;
const START_MS = Date.UTC(2026, 5, 1, 8);
const NO_HASH = new Uint8Array(16);
const EPOCH = "0198a9c2-7f11-7000-8000-0123456789ab";
const BYTES_MAX = 3;
const QUERIES = 20;

/**
 * An hour of twenty machines with a hundred signals, which the lake's writer takes out of the store's feed every five minutes, as it does
 * live; then merged, asked, exported. One process with all of it but PostgreSQL; what is beside is one row a reading.
 */
export async function lake(): Promise<Row[]> {
  const folder = mkdtempSync(join(tmpdir(), "tailstock-lake-bench-"));
  // Root's bench runs the server as somebody else, who must get in.
  chmodSync(folder, 0o755);
  const logger = pino({ level: "silent" });
  try {
    await using server = await startEmbeddedPostgres({ folder, settings: {}, logger });
    await using database = new Database({ url: await server.url("lake") });
    const store = createPostgresEventStore({ database, clock: systemClock, logger });
    await store.ensure(new AbortController().signal);
    const place = { folder: join(folder, "lake") };
    const ticks = blocks();
    const spent = { cpuMs: 0, wallMs: 0, readings: 0 };
    for (let second = 0; second < SECONDS; second += FLUSH_S) {
      for (let i = 0; i < FLUSH_S / BLOCK_S; i++) spent.readings += await put(store, ticks);
      const [cpu, wall] = [process.cpuUsage(), performance.now()];
      const end = new AbortController();
      const clock = { ...systemClock, sleep: async () => end.abort() };
      await new LakeWriter({ store, database, place, clock, logger, compactMs: 0 }).run(end.signal, () => undefined);
      const { user, system } = process.cpuUsage(cpu);
      spent.cpuMs += (user + system) / 1_000;
      spent.wallMs += performance.now() - wall;
    }
    const files = await openLake({ place }).files(new AbortController().signal);
    const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
    const compactedMs = performance.now();
    const merged = await compactLake({ database, place, logger, signal: new AbortController().signal, graceMs: 0 });
    const compactS = (performance.now() - compactedMs) / 1_000;
    const plain = await rowBytes(place.folder, folder);
    const { readings } = spent;
    return [
      [
        "feed → lake",
        `${(readings / spent.cpuMs).toFixed(0)} k readings/s a core`,
        `${(readings / spent.wallMs).toFixed(0)} k/s by the clock; ${(readings / 1e6).toFixed(1)} M readings in ${SECONDS / FLUSH_S} batches, ${Math.round(process.memoryUsage.rss() / 1e6)} MB with this bench`,
      ],
      [
        "bytes a reading, as written",
        `${(bytes / readings).toFixed(2)} B`,
        `asked: ${BYTES_MAX}; files of ${FLUSH_S} s`,
      ],
      [
        "bytes a reading, merged",
        `${(merged.bytesAfter / readings).toFixed(2)} B`,
        `${(readings / 1e3 / compactS).toFixed(0)} k readings/s`,
      ],
      [
        "row per reading, for comparison",
        `${(plain / readings).toFixed(2)} B`,
        "the same rows as DuckDB's COPY writes them",
      ],
      ...(await queryRows(place, readings)),
    ];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A block of each machine for every minute. */
function* blocks(): Generator<StoredEvent[][], void, undefined> {
  let minute = new Map<string, StoredEvent[]>();
  const seqs = new Map<string, number>();
  let untilMs = START_MS + BLOCK_S * 1_000;
  for (const { nowMs, events } of cellTicks({ machines: CELLS, seed: 7, startMs: START_MS })) {
    for (const event of events) {
      const { machineId } = event;
      const seq = (seqs.get(machineId) ?? 0) + 1;
      seqs.set(machineId, seq);
      const own = minute.get(machineId) ?? [];
      minute.set(machineId, own);
      own.push({ ...event, epoch: EPOCH, seq, offset: seq, entityId: `${EPOCH}/${machineId}/${seq}` });
    }
    if (nowMs < untilMs) continue;
    yield [...minute.values()];
    minute = new Map();
    untilMs += BLOCK_S * 1_000;
  }
}

async function put(
  store: ReturnType<typeof createPostgresEventStore>,
  minutes: Generator<StoredEvent[][], void, undefined>,
): Promise<number> {
  let readings = 0;
  const transactions = (minutes.next().value ?? []).map((events) => {
    const bytes = encodeBlock(events, NO_HASH);
    const block = decodeBlock(bytes);
    readings += block.head.samples;
    const document = blockDocument(bytes, block, { factoryId: "redmond", deviceId: "box", enqueuedMs: 1 });
    const { epoch, machineId, firstSeq } = block.head;
    const partition = partitionOf({ epoch, machineId, seq: firstSeq });
    return { partition, operations: [{ op: "create", document } as const] };
  });
  await store.commit("telemetry", transactions, new AbortController().signal);
  return readings;
}

async function rowBytes(lakeFolder: string, folder: string): Promise<number> {
  const instance = await DuckDBInstance.create(":memory:", { threads: "1" });
  const connection = await instance.connect();
  const path = join(folder, "rows.parquet");
  await connection.run(
    `COPY (SELECT * FROM read_parquet('${lakeFolder}/readings/**/*.parquet') ORDER BY time, machine_id, signal)
       TO '${path}' (FORMAT parquet, COMPRESSION zstd)`,
  );
  const result = await connection.runAndReadAll(`SELECT size::DOUBLE FROM read_blob('${path}')`);
  connection.closeSync();
  instance.closeSync();
  return Number(result.getRows()[0]?.[0]);
}

async function queryRows(place: { readonly folder: string }, readings: number): Promise<Row[]> {
  const open = openLake({ place });
  const fromMs = START_MS + 600_000;
  const timed = async (sql: string): Promise<string> => {
    const all: number[] = [];
    for (let i = 0; i < QUERIES; i++) {
      const startedMs = performance.now();
      await open.query(sql);
      all.push(performance.now() - startedMs);
    }
    return `${(all.sort((a, b) => a - b)[QUERIES >> 1] as number).toFixed(0)} ms`;
  };
  const startedMs = performance.now();
  let exported = 0;
  for await (const { rows } of readLake(place, { fromMs: 0, toMs: Number.MAX_SAFE_INTEGER })) exported += rows;
  const exportedPerMs = exported / (performance.now() - startedMs);
  if (exported !== readings) throw new Error(`${exported} of ${readings} readings come back`);
  return [
    [
      "one machine, ten minutes",
      await timed(
        `SELECT signal, avg(value) FROM readings WHERE machine_id = 'redmond/cell-007' AND time BETWEEN epoch_ms(${fromMs}) AND epoch_ms(${fromMs + 600_000}) GROUP BY signal`,
      ),
      "average of each signal, opening the lake included",
    ],
    ["averages of everything", await timed("SELECT machine_id, signal, avg(value) FROM readings GROUP BY ALL"), ""],
    ["export as arrays", `${exportedPerMs.toFixed(0)} k readings/s`, "sorted by machine and time"],
  ];
}
