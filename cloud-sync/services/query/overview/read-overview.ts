import type { Sql } from "../../../database/database.ts";
import { readRanges } from "../ledger/ranges.ts";
import { type LedgerSumRow, readLedgerSums } from "../ledger/read-ledger.ts";
import type { LedgerTrouble } from "../ledger/schema.ts";
import { IS_MACHINE, STATE } from "../machines/read-machines.ts";
import { type LineRow, lineView } from "./line-view.ts";
import type { FactoryView, Overview } from "./schema.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** A machine without any event for so long is silent; subscribed signals that stand still are heard of more often. */
const SILENT_MS = 600_000;
const LINES_MAX = 500;
const TROUBLES_PER_FACTORY = 3;
const FACTORIES_MAX = 200;
const PRIORITIES = ["critical", "high", "medium", "low"];

/** Alarm states of ISA-18.2 that somebody has to acknowledge, and those whose condition lasts. */
export const UNACKNOWLEDGED = ["unacknowledged", "returned-unacknowledged"];
export const ACTIVE = ["unacknowledged", "acknowledged", "latched"];

interface MachinesRow {
  readonly factory_id: string;
  readonly state: string;
  readonly machines: number;
  readonly silent: number;
  readonly newest_at: Date;
}
interface AlarmsRow {
  readonly factory_id: string;
  readonly priority: string;
  readonly unacknowledged: number;
  readonly active: number;
}
interface AnomaliesRow {
  readonly factory_id: string;
  readonly hour: number;
  readonly day: number;
}
interface NameRow {
  readonly id: string;
  readonly name: string | null;
  readonly place: string | null;
}

/** All factories at a glance. No array of a machine's values is unpacked for it. */
export async function readOverview(sql: Sql, nowMs: number): Promise<Overview> {
  const [machines, alarms, anomalies, lines, sums, troubles, names] = await Promise.all([
    readMachines(sql, nowMs),
    readAlarms(sql),
    readAnomalies(sql, nowMs),
    readLines(sql),
    readLedgerSums(sql),
    readTroubles(sql),
    readNames(sql),
  ]);
  const ids = new Set([
    ...names.map(({ id }) => id),
    ...machines.map((row) => row.factory_id),
    ...lines.flatMap((row) => row.factory_id ?? []),
  ]);
  const factories = [...ids].slice(0, FACTORIES_MAX).map((factoryId): FactoryView => {
    const own = machines.filter((row) => row.factory_id === factoryId);
    const named = names.find(({ id }) => id === factoryId);
    const counted = anomalies.find((row) => row.factory_id === factoryId);
    const newestMs = own.length === 0 ? null : Math.max(...own.map((row) => row.newest_at.getTime()));
    return {
      factoryId,
      name: named?.name || factoryId,
      place: named?.place ?? null,
      machines: {
        total: sumOf(own, (row) => row.machines),
        byState: Object.fromEntries(own.map((row) => [row.state, row.machines])),
        silent: sumOf(own, (row) => row.silent),
      },
      alarms: alarms
        .filter((row) => row.factory_id === factoryId)
        .map(({ priority, unacknowledged, active }) => ({ priority, unacknowledged, active }))
        .sort((a, b) => rankOf(a.priority) - rankOf(b.priority)),
      anomalies: { hour: counted?.hour ?? 0, day: counted?.day ?? 0 },
      newestMs,
      ageSeconds: newestMs === null ? null : Math.max(0, Math.round((nowMs - newestMs) / 1_000)),
      lines: lines.filter((row) => row.factory_id === factoryId).map(lineView),
      ledger: ledgerOf(
        sums.find((row) => row.factoryId === factoryId),
        troubles.filter((row) => row.factoryId === factoryId).map(({ trouble }) => trouble),
      ),
    };
  });
  const collator = new Intl.Collator("en", { numeric: true });
  return { nowMs, factories: factories.sort((a, b) => collator.compare(a.name, b.name)) };
}

async function readMachines(sql: Sql, nowMs: number): Promise<MachinesRow[]> {
  const { rows } = await sql.prepared<MachinesRow>(
    "overview-machines",
    `SELECT m.factory_id, ${STATE} AS state, count(*) AS machines, count(*) FILTER (WHERE m.event_at < $1) AS silent,
            max(m.event_at) AS newest_at
       FROM model.machine_latest m WHERE ${IS_MACHINE} GROUP BY 1, 2`,
    [new Date(nowMs - SILENT_MS)],
  );
  return rows;
}

async function readAlarms(sql: Sql): Promise<AlarmsRow[]> {
  const { rows } = await sql.prepared<AlarmsRow>(
    "overview-alarms",
    `SELECT factory_id, priority, count(*) FILTER (WHERE state = ANY ($1)) AS unacknowledged,
            count(*) FILTER (WHERE state = ANY ($2)) AS active
       FROM model.alarm WHERE state <> 'normal' GROUP BY 1, 2`,
    [UNACKNOWLEDGED, ACTIVE],
  );
  return rows.filter((row) => row.unacknowledged > 0 || row.active > 0);
}

async function readAnomalies(sql: Sql, nowMs: number): Promise<AnomaliesRow[]> {
  const { rows } = await sql.prepared<AnomaliesRow>(
    "overview-anomalies",
    `SELECT factory_id, count(*) FILTER (WHERE event_at >= $1) AS hour, count(*) AS day
       FROM model.anomaly WHERE event_at >= $2 AND event_at <= $3 GROUP BY 1`,
    [new Date(nowMs - HOUR_MS), new Date(nowMs - DAY_MS), new Date(nowMs)],
  );
  return rows;
}

/** A line whose factory nobody has named belongs to that of the machines which came by it. */
async function readLines(sql: Sql): Promise<LineRow[]> {
  const [lines, devices] = await Promise.all([
    sql.prepared<LineRow>(
      "overview-lines",
      `SELECT device_id, factory_id, connected, enabled, active_at, reported, seen_at
         FROM app.line ORDER BY device_id LIMIT ${LINES_MAX}`,
    ),
    sql.prepared<{ device_id: string; factory_id: string }>(
      "overview-devices",
      `SELECT device_id, min(factory_id) AS factory_id FROM model.machine_latest GROUP BY device_id`,
    ),
  ]);
  const factoryOf = new Map(devices.rows.map((row) => [row.device_id, row.factory_id]));
  return lines.rows.map((row) => ({ ...row, factory_id: row.factory_id ?? factoryOf.get(row.device_id) ?? null }));
}

async function readTroubles(sql: Sql): Promise<{ factoryId: string; trouble: LedgerTrouble }[]> {
  const { rows } = await sql.prepared<{
    factoryId: string;
    machineId: string;
    epoch: string;
    firstSeq: number;
    lastSeq: number;
    numbered: boolean;
    missing: number;
    lost: number;
    thinned: number;
  }>(
    "overview-troubles",
    `SELECT * FROM (
       SELECT factory_id AS "factoryId", machine_id AS "machineId", epoch, first_seq AS "firstSeq", last_seq AS "lastSeq", numbered,
              missing, lost, thinned,
              row_number() OVER (PARTITION BY factory_id ORDER BY missing + lost DESC, thinned DESC, machine_id, epoch) AS place
         FROM model.ledger_stream WHERE missing > 0 OR lost > 0 OR thinned > 0) s
      WHERE place <= ${TROUBLES_PER_FACTORY} ORDER BY "factoryId", place`,
  );
  const ranges = await readRanges(sql, rows);
  return rows.map(({ factoryId, machineId, epoch, missing, lost, thinned }, index) => ({
    factoryId,
    trouble: { machineId, epoch, missing, lost, thinned, ...(ranges[index] ?? { ranges: [], moreRanges: false }) },
  }));
}

async function readNames(sql: Sql): Promise<NameRow[]> {
  const { rows } = await sql.prepared<NameRow>(
    "overview-names",
    `SELECT id, data->>'name' AS name, coalesce(data->'location'->>'city', data->'location'->>'address') AS place
       FROM model.metadata WHERE kind = 'factory' AND NOT deleted ORDER BY id LIMIT ${FACTORIES_MAX}`,
  );
  return rows;
}

function ledgerOf(sum: LedgerSumRow | undefined, troubles: LedgerTrouble[]): FactoryView["ledger"] {
  const { streams = 0, events = 0, samples = 0, missing = 0, lost = 0, thinned = 0 } = sum ?? {};
  return { streams, events, samples, missing, lost, thinned, troubles };
}

function sumOf<T>(rows: readonly T[], of: (row: T) => number): number {
  return rows.reduce((sum, row) => sum + of(row), 0);
}

function rankOf(priority: string): number {
  const at = PRIORITIES.indexOf(priority.toLowerCase());
  return at < 0 ? PRIORITIES.length : at;
}
