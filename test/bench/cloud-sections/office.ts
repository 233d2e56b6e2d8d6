import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { FastifyInstance } from "fastify";
import { pino } from "pino";
import { Database } from "../../../cloud-sync/database/database.ts";
import { startEmbeddedPostgres } from "../../../cloud-sync/database/embedded/embedded-postgres.ts";
import { migrate } from "../../../cloud-sync/database/migrate.ts";
import type { Access } from "../../../cloud-sync/services/access/access.ts";
import { readOverview } from "../../../cloud-sync/services/query/overview/read-overview.ts";
import { openReads } from "../../../cloud-sync/services/query/reads.ts";
import { createQueryService } from "../../../cloud-sync/services/query/service.ts";
import { systemClock } from "../../../edge/kernel/clock.ts";
import { fillOffice, machineId, signalName } from "../../support/office-data.ts";
import { quantile } from "../../support/process-usage.ts";
import type { Row } from "../run-sections.ts";

const FACTORIES = 5;
const MACHINES = 100;
const SIGNALS = 100;
/** Machines of each factory with two days of roll-ups: 29,000 rows of a hundred signals. */
const ROLLUP_MACHINES = 2;
const ROLLUP_HOURS = 48;
const ROUNDS = 300;
/** What is asked for. */
const OVERVIEW_MS_MAX = 50;
const TREND_MS_MAX = 100;

/** Whoever asks is let in: what is measured is the reading. */
const OPEN: Access = { personOf: async () => undefined, require: () => async () => undefined };

/**
 * Queries of the office over five factories of a hundred machines with a hundred signals each, on a PostgreSQL of their own, one after
 * another, through the service from request to JSON. Nothing else runs.
 */
export async function office(): Promise<Row[]> {
  const folder = mkdtempSync(join(tmpdir(), "tailstock-office-"));
  // Root's bench runs the server as somebody else, who must get in.
  chmodSync(folder, 0o755);
  const logger = pino({ level: "silent" });
  try {
    await using server = await startEmbeddedPostgres({ folder, settings: {}, logger });
    await using database = new Database({ url: await server.url("office") });
    await migrate(database);
    const nowMs = Date.now();
    await fillOffice(database, {
      factories: FACTORIES,
      machines: MACHINES,
      signals: SIGNALS,
      nowMs,
      rollupHours: ROLLUP_HOURS,
      rollupMachines: ROLLUP_MACHINES,
      entities: 60,
    });
    const app = createQueryService({ database, access: OPEN, clock: systemClock, logger });
    try {
      return [...(await overviewRows(database, app)), ...(await otherRows(app, nowMs))];
    } finally {
      await app.close();
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function overviewRows(database: Database, app: FastifyInstance): Promise<Row[]> {
  await using reads = openReads(database.url);
  const read = await timed(() => readOverview(reads, Date.now()));
  const asked = await timed(() => get(app, "/api/query/overview"));
  return [
    row("overview, read", read, `asked: p99 ${OVERVIEW_MS_MAX} ms; each time from the tables`),
    row("overview, as pages ask", asked, "of one reading in 500 ms"),
  ];
}

async function otherRows(app: FastifyInstance, nowMs: number): Promise<Row[]> {
  const dayMs = 86_400_000;
  const trend = (series: number, spanMs: number): string => {
    const query = new URLSearchParams({ fromMs: String(nowMs - spanMs), toMs: String(nowMs) });
    for (let index = 0; index < series; index++) {
      query.append("machine", machineId(index % FACTORIES, index % ROLLUP_MACHINES));
      query.append("signal", signalName(index * 7));
    }
    return `/api/query/trends?${query}`;
  };
  const note = `asked: ${TREND_MS_MAX} ms`;
  return [
    row("24 h trend, one signal", await timed(() => get(app, trend(1, dayMs))), note),
    row(
      "24 h trend, eight signals",
      await timed(() => get(app, trend(8, dayMs))),
      "of eight machines of five factories",
    ),
    row(
      "machines by need",
      await timed(() => get(app, "/api/query/machines?order=need&limit=100")),
      "first hundred of 500",
    ),
    row(
      "one machine, 100 values",
      await timed(() => get(app, `/api/query/machine?id=${encodeURIComponent(machineId(0, 0))}`)),
      "",
    ),
  ];
}

async function get(app: FastifyInstance, url: string): Promise<void> {
  const { statusCode, body } = await app.inject(url);
  if (statusCode !== 200) throw new Error(`${url}: ${statusCode} ${body}`);
}

async function timed(work: () => Promise<unknown>): Promise<Float64Array> {
  const tookMs = new Float64Array(ROUNDS);
  // The first ones prepare statements and fill caches.
  for (let round = -10; round < ROUNDS; round++) {
    const beganMs = performance.now();
    await work();
    if (round >= 0) tookMs[round] = performance.now() - beganMs;
  }
  return tookMs.sort();
}

function row(what: string, tookMs: Float64Array, note: string): Row {
  const at = (share: number): string => quantile(tookMs, share).toFixed(1);
  return [what, `p50 ${at(0.5)} ms, p99 ${at(0.99)} ms`, note];
}
