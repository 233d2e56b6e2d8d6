import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { Database } from "../../../cloud-sync/database/database.ts";
import { CURSOR_BY_LANE } from "../../../cloud-sync/uplink/ports.ts";
import { openLogReader } from "../../../edge/log/reader.ts";
import type { HubProgram } from "../../support/hub-program.ts";
import { usageOf } from "../../support/process-usage.ts";
import { endPrograms, firstLine, startProgram } from "../../support/runtime-process.ts";
import { BulkSource } from "../data/bulk.ts";
import { LogDriver } from "../data/log-driver.ts";
import { SEED, START_MS } from "../log-sections/section.ts";
import { fill } from "../log-sections/throughput.ts";
import type { Row } from "../run-sections.ts";
import { DEVICE, withHub, withUplink } from "../uplink-sections/fixture.ts";

const COMMIT_S = 25;
const LOOK_MS = 50;
const STALL_MS_MAX = 120_000;
/** What is asked for. */
const READINGS_PER_S_MIN = 500_000;

/** Of everything in a schema, indexes and TOAST included. */
const SIZE_SQL = `SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0)::float8 AS bytes
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relkind = 'r'`;

/**
 * A backlog that an uplink has brought to the hub, taken into PostgreSQL by one ingest process; then read out of it by the projections.
 * 100 machines of 100 signals, a message of blocks as the box stored them.
 */
export function catchUp({ readings }: { readonly readings: number }): Promise<Row[]> {
  return withHub([DEVICE], async (hub, folder) => {
    const total = await fillHub(hub, folder, readings);
    const config = writeConfig(folder, hub);
    const started = (parts: string) =>
      startProgram(["cloud-sync/runtime/main.ts", "--config", config, "--parts", parts, "--show-database"]);
    const ingest = started("ingest");
    try {
      const { databaseUrl } = JSON.parse(await firstLine(ingest)) as { databaseUrl: string };
      await using database = new Database({ url: databaseUrl, connectionsMax: 2 });
      const stored = await timed(database, ingest.pid ?? 0, total, STORED_SQL);
      await endPrograms([ingest]);
      const storeBytes = await sizeAfterRestart(started, async (url) => sizeOf(url, "store"));
      return [
        [
          "hub → PostgreSQL",
          `${(stored.perS / 1e6).toFixed(2)} M readings/s`,
          `asked: ${READINGS_PER_S_MIN / 1e6} M; ${(total / 1e6).toFixed(0)} M readings in ${stored.seconds.toFixed(1)} s, ${stored.cpu} of ingest`,
        ],
        ["bytes a reading, event store", `${(storeBytes / total).toFixed(2)} B`, "indexes included"],
      ];
    } finally {
      await endPrograms([ingest]);
    }
  });
}

const STORED_SQL = "SELECT coalesce(sum((fields::json ->> 'samples')::float8), 0) AS readings FROM store.telemetry";

async function fillHub(hub: HubProgram, folder: string, readings: number): Promise<number> {
  const driver = new LogDriver(folder, START_MS);
  const source = new BulkSource({ seed: SEED, startMs: START_MS });
  const seconds = Math.ceil(readings / source.readingsPerBatch);
  await fill(driver, source, seconds, COMMIT_S);
  await driver.seal();
  driver.close();
  const log = openLogReader(driver.path);
  const head = log.head();
  await withUplink(hub, folder, {}, async () => {
    while (log.cursor(CURSOR_BY_LANE.telemetry) < head) await delay(LOOK_MS);
  });
  log.close();
  return seconds * source.readingsPerBatch;
}

function writeConfig(folder: string, hub: HubProgram): string {
  const own = join(folder, "cloud");
  mkdirSync(own);
  writeFileSync(join(own, "events"), hub.eventsConnection);
  const path = join(own, "cloud.yaml");
  writeFileSync(path, "hub: { eventsFile: events }\ndatabase: { embedded: postgres }\n");
  return path;
}

async function timed(database: Database, pid: number, total: number, sql: string) {
  const startedMs = performance.now();
  const before = usageOf(pid).cpuMs;
  // What came while the process said that it was ready is no part of the measured time.
  const atFirst = (await database.query<{ readings: number }>(sql)).rows[0]?.readings ?? 0;
  let seen = atFirst;
  let changedMs = startedMs;
  for (;;) {
    const { rows } = await database.query<{ readings: number }>(sql);
    const nowMs = performance.now();
    const now = rows[0]?.readings ?? 0;
    if (now > seen) changedMs = nowMs;
    seen = now;
    if (seen >= total) break;
    if (nowMs - changedMs > STALL_MS_MAX) throw new Error(`${seen} of ${total} readings, and no more come`);
    await delay(LOOK_MS);
  }
  const seconds = (performance.now() - startedMs) / 1_000;
  const share = ((usageOf(pid).cpuMs - before) / 10 / seconds).toFixed(0);
  return { seconds, perS: (total - atFirst) / seconds, cpu: `${share} % of a core` };
}

/** The server ends with the process that owns it: another one is started to look. */
async function sizeAfterRestart(
  start: (parts: string) => ReturnType<typeof startProgram>,
  look: (url: string) => Promise<number>,
): Promise<number> {
  const child = start("lines");
  try {
    return await look((JSON.parse(await firstLine(child)) as { databaseUrl: string }).databaseUrl);
  } finally {
    await endPrograms([child]);
  }
}

async function sizeOf(url: string, schema: string): Promise<number> {
  await using database = new Database({ url, connectionsMax: 1 });
  await database.query("VACUUM");
  return (await database.query<{ bytes: number }>(SIZE_SQL, [schema])).rows[0]?.bytes ?? 0;
}
