import type { ChildProcess } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { Database } from "../../../cloud-sync/database/database.ts";
import { HubProgram } from "../../support/hub-program.ts";
import { quantile, usageOf } from "../../support/process-usage.ts";
import { firstLine, startProgram } from "../../support/runtime-process.ts";
import type { Row } from "../run-sections.ts";
import { LatencyProbe } from "./latency-probe.ts";

const SITES = ["redmond", "dortmund", "suzhou", "pune", "queretaro"] as const;
const LOOK_MS = 250;
const SETTLE_MS = 20_000;
/** Lag of the second half may be so much above that of the first and still count as not growing. */
const GROWTH_MAX = 1.2;

export interface CompanyOptions {
  readonly minutes: number;
  /** Machines of 100 signals of each factory. */
  readonly cells: number;
  readonly latencyMs: number;
}

/**
 * Five factories of 10,000 signals at 1 Hz, each a box with its real log and uplink (readings come from a generator in the box's process,
 * in place of OPC UA servers), one hub process, one cloud process with everything but the lake's and the models' work that the demo has,
 * one PostgreSQL: all on this machine. Latency is from the time of a machine's tick at its source to when another connection to the
 * database sees it in model.machine_latest; looked for every 250 ms.
 */
export async function company(options: CompanyOptions): Promise<Row[]> {
  const folder = mkdtempSync(join(tmpdir(), "tailstock-bench-"));
  // Root's embedded database runs as somebody else, who must get in.
  chmodSync(folder, 0o755);
  const children: ChildProcess[] = [];
  try {
    await using hub = await new HubProgram(join(folder, "hub"), [...SITES], ["--consumer-group", "tailstock"]).start();
    const cloud = startCloud(folder, hub);
    children.push(cloud);
    const ready = JSON.parse(await firstLine(cloud)) as { databaseUrl: string; postgresPid: number };
    await using database = new Database({ url: ready.databaseUrl, connectionsMax: 2 });
    const edges = await Promise.all(SITES.map((site, at) => startEdge(folder, hub, site, at, options)));
    children.push(...edges);
    await delay(SETTLE_MS);
    const probe = new LatencyProbe(database);
    const processes = { edges: edges.map(({ pid }) => pid ?? 0), hub: [hub.pid], cloud: [cloud.pid ?? 0] };
    const before = cpuOf(processes);
    const beginMs = performance.now();
    while (performance.now() - beginMs < options.minutes * 60_000) {
      const lookMs = performance.now();
      await probe.look();
      await delay(Math.max(0, LOOK_MS - (performance.now() - lookMs)));
    }
    const spanMs = performance.now() - beginMs;
    const after = cpuOf(processes);
    return [...rowsOf(probe, options), ...cpuRows(before, after, spanMs), ...(await sizeRows(database))];
  } finally {
    for (const child of children) child.kill("SIGTERM");
    await Promise.all(children.map((child) => ended(child)));
    rmSync(folder, { recursive: true, force: true });
  }
}

function startCloud(folder: string, hub: HubProgram): ChildProcess {
  const own = join(folder, "cloud");
  mkdirSync(own);
  writeFileSync(join(own, "events"), hub.eventsConnection);
  writeFileSync(
    join(own, "cloud.yaml"),
    "hub: { eventsFile: events, consumerGroup: tailstock }\ndatabase: { embedded: postgres }\noffice: { port: 0 }\n",
  );
  return startProgram(["cloud-sync/runtime/main.ts", "--config", join(own, "cloud.yaml"), "--show-database"]);
}

async function startEdge(
  folder: string,
  hub: HubProgram,
  site: string,
  at: number,
  { cells, latencyMs }: CompanyOptions,
): Promise<ChildProcess> {
  const own = join(folder, site);
  mkdirSync(own);
  writeFileSync(join(own, "connection"), hub.deviceConnection(site));
  writeFileSync(
    join(own, "tailstock.yaml"),
    `site: ${site}
log: { path: tailstock.db }
uplink: { connectionStringFile: connection, ca: ${JSON.stringify(hub.addresses.ca)}, latencyMs: ${latencyMs} }
machines:
  mill-01: { address: "opc.tcp://127.0.0.1:1", signals: { speed: { node: "ns=2;s=Speed" } } }
`,
  );
  const args = ["--folder", own, "--site", site, "--cells", String(cells), "--seed", String(at + 1)];
  const child = startProgram(["test/bench/cloud-sections/edge-load.ts", ...args]);
  await firstLine(child);
  return child;
}

function rowsOf(probe: LatencyProbe, { cells, minutes, latencyMs }: CompanyOptions): Row[] {
  const all = Float64Array.from(probe.latenciesMs).sort();
  const half = probe.latenciesMs.length >> 1;
  const medianOf = (part: readonly number[]): number => quantile(Float64Array.from(part).sort(), 0.5);
  const early = medianOf(probe.latenciesMs.slice(0, half));
  const late = medianOf(probe.latenciesMs.slice(half));
  const s = (ms: number): string => `${(ms / 1_000).toFixed(2)} s`;
  return [
    [
      "reading → machine_latest, p99",
      s(quantile(all, 0.99)),
      `asked: 5 s; p50 ${s(quantile(all, 0.5))}, worst ${s(all.at(-1) ?? Number.NaN)}; boxes gather for ${latencyMs} ms`,
    ],
    [
      "lag, first half → second half",
      `${s(early)} → ${s(late)}`,
      `medians; ${late <= early * GROWTH_MAX ? "not growing" : "GROWING"} over ${minutes} minutes`,
    ],
    [
      "ticks seen",
      all.length.toLocaleString("en"),
      `of ${(SITES.length * cells * minutes * 60).toLocaleString("en")}; ${SITES.length} × ${cells} machines × 100 signals at 1 Hz`,
    ],
  ];
}

type Usage = Readonly<Record<string, number>>;

function cpuOf(processes: Readonly<Record<string, readonly number[]>>): Usage {
  return Object.fromEntries(
    Object.entries(processes).map(([name, pids]) => [name, pids.reduce((sum, pid) => sum + usageOf(pid).cpuMs, 0)]),
  );
}

function cpuRows(before: Usage, after: Usage, spanMs: number): Row[] {
  return Object.keys(before).map((name) => [
    `CPU: ${name}`,
    `${((((after[name] ?? 0) - (before[name] ?? 0)) / spanMs) * 100).toFixed(0)} %`,
    "of one core",
  ]);
}

async function sizeRows(database: Database): Promise<Row[]> {
  const { rows } = await database.query<{ samples: number; store: number; model: number }>(
    `SELECT (SELECT coalesce(sum(samples), 0) FROM model.ledger_stream) AS samples,
            (SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
              WHERE n.nspname = 'store' AND c.relkind IN ('r', 'p')) AS store,
            (SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
              WHERE n.nspname = 'model' AND c.relkind IN ('r', 'p')) AS model`,
  );
  const { samples = 0, store = 0, model = 0 } = rows[0] ?? {};
  const per = (bytes: number): string => `${(Number(bytes) / Number(samples)).toFixed(2)} B`;
  return [
    ["bytes a reading, event store", per(store), "before it is all repacked, indexes included"],
    ["bytes a reading, read models", per(model), `of ${Number(samples).toLocaleString("en")} readings`],
  ];
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  await new Promise((resolve) => child.once("exit", resolve));
}
