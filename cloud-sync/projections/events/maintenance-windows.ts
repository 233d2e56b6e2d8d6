import type { Sql } from "../../database/database.ts";

/** Hours; a window begins at a multiple of its length since 1970, UTC. */
const WINDOWS_HOURS = [1, 24] as const;
const HOUR_MS = 3_600_000;

export interface CountedPrediction {
  readonly machineId: string;
  readonly factoryId: string;
  readonly requirement: string;
  /** ISO 8601, UTC. */
  readonly at: string;
  readonly isOutside: boolean;
}

interface Window {
  readonly machineId: string;
  readonly hours: number;
  readonly at: string;
  readonly requirement: string;
  /** Of the latest prediction in it. */
  factoryId: string;
  predictions: number;
  outside: number;
  firstAt: string;
  lastAt: string;
}

/** Counts predictions in the windows of their time, however late they come. @param rows each only once */
export async function addToWindows(rows: readonly CountedPrediction[], sql: Sql): Promise<void> {
  const windows = new Map<string, Window>();
  for (const row of rows) for (const hours of WINDOWS_HOURS) add(windows, row, hours);
  if (windows.size === 0) return;
  const all = [...windows.values()];
  // Of several factories that tell of one machine the name counts that comes last in the alphabet, whichever came first.
  await sql.prepared(
    "model_maintenance_aggregate",
    `INSERT INTO model.maintenance_aggregate AS m
       (machine_id, window_hours, window_at, requirement, factory_id, predictions, outside, first_at, last_at)
     SELECT * FROM unnest($1::text[], $2::integer[], $3::timestamptz[], $4::text[], $5::text[], $6::bigint[], $7::bigint[],
                          $8::timestamptz[], $9::timestamptz[])
     ON CONFLICT (machine_id, window_hours, window_at, requirement) DO UPDATE
        SET factory_id = greatest(m.factory_id, excluded.factory_id),
            predictions = m.predictions + excluded.predictions, outside = m.outside + excluded.outside,
            first_at = least(m.first_at, excluded.first_at), last_at = greatest(m.last_at, excluded.last_at)`,
    [
      all.map(({ machineId }) => machineId),
      all.map(({ hours }) => hours),
      all.map(({ at }) => at),
      all.map(({ requirement }) => requirement),
      all.map(({ factoryId }) => factoryId),
      all.map(({ predictions }) => predictions),
      all.map(({ outside }) => outside),
      all.map(({ firstAt }) => firstAt),
      all.map(({ lastAt }) => lastAt),
    ],
  );
}

function add(windows: Map<string, Window>, row: CountedPrediction, hours: number): void {
  const { machineId, requirement, factoryId, at, isOutside } = row;
  const lengthMs = hours * HOUR_MS;
  const windowAt = new Date(Math.max(EARLIEST_MS, Math.floor(Date.parse(at) / lengthMs) * lengthMs)).toISOString();
  const key = JSON.stringify([machineId, hours, windowAt, requirement]);
  const window = windows.get(key) ?? {
    machineId,
    hours,
    at: windowAt,
    requirement,
    factoryId,
    predictions: 0,
    outside: 0,
    firstAt: at,
    lastAt: at,
  };
  windows.set(key, window);
  if (factoryId > window.factoryId) window.factoryId = factoryId;
  window.predictions++;
  if (isOutside) window.outside++;
  if (at < window.firstAt) window.firstAt = at;
  if (at > window.lastAt) window.lastAt = at;
}

const EARLIEST_MS = Date.parse("0001-01-01T00:00:00.000Z");
