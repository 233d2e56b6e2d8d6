import type { Sql } from "../../../database/database.ts";
import { infoByName, type SignalAbout } from "../machines/read-machine.ts";
import { type Bucketing, bucketed, bucketingOf, HOUR_MS, MINUTE_MS, type RollupPoint } from "./buckets.ts";
import type { Trend, TrendSeries } from "./schema.ts";

export const SERIES_MAX = 8;
export const SPAN_MS_MAX = 3 * 366 * 24 * HOUR_MS;

export interface SeriesKey {
  readonly machineId: string;
  readonly signal: string;
}

interface RollupRow {
  readonly at: Date;
  readonly count: number;
  readonly bad: number;
  readonly minimum: number | null;
  readonly maximum: number | null;
  readonly sum: number | null;
}
interface ThinnedRow {
  readonly at: Date;
  readonly count: number;
  readonly minimum: number;
  readonly maximum: number;
  readonly sum: number;
}

/** Trends of signals of any machines of any factories over one span; of each at most TREND_POINTS_MAX points, whatever was stored. */
export async function readTrend(sql: Sql, keys: readonly SeriesKey[], fromMs: number, toMs: number): Promise<Trend> {
  const bucketing = bucketingOf(fromMs, toMs);
  const series = await Promise.all(keys.map((key) => readSeries(sql, key, bucketing, toMs)));
  return { fromMs, toMs, bucketMs: bucketing.bucketMs, source: bucketing.source, series };
}

async function readSeries(
  sql: Sql,
  { machineId, signal }: SeriesKey,
  bucketing: Bucketing,
  toMs: number,
): Promise<TrendSeries> {
  const { source, firstMs } = bucketing;
  const [table, time, stepMs] =
    source === "minutes"
      ? (["rollup_1m", "minute_at", MINUTE_MS] as const)
      : (["rollup_1h", "hour_at", HOUR_MS] as const);
  const span = [machineId, signal, new Date(firstMs), new Date(toMs)];
  const [rollup, thinned, about] = await Promise.all([
    sql.prepared<RollupRow>(
      `trend-${source}`,
      `SELECT r.${time} AS at, r.counts[s.place] AS count, r.bad[s.place] AS bad, r.minima[s.place] AS minimum,
              r.maxima[s.place] AS maximum, r.sums[s.place] AS sum
         FROM model.${table} r
         JOIN (SELECT machine_id, set_no, array_position(signals, $2::text) AS place
                 FROM model.signal_set WHERE machine_id = $1) s ON s.machine_id = r.machine_id AND s.set_no = r.set_no
        WHERE r.machine_id = $1 AND r.${time} >= $3 AND r.${time} < $4 AND s.place IS NOT NULL
        ORDER BY r.${time}`,
      span,
    ),
    sql.prepared<ThinnedRow>(
      `trend-thinned-${source}`,
      `SELECT date_bin($5::interval, minute_at, '2000-01-01 00:00:00+00') AS at, sum(count)::float8 AS count, min(minimum) AS minimum,
              max(maximum) AS maximum, sum(mean * count) AS sum
         FROM model.thinned_1m
        WHERE machine_id = $1 AND signal = $2 AND minute_at >= $3 AND minute_at < $4
        GROUP BY 1 ORDER BY 1`,
      [...span, `${stepMs / 1_000} seconds`],
    ),
    readAbout(sql, machineId, signal),
  ]);
  return {
    machineId,
    signal,
    title: typeof about.info?.title === "string" && about.info.title !== "" ? about.info.title : signal,
    unit: typeof about.info?.unit === "string" ? about.info.unit : "",
    known: about.known,
    ...bucketed(bucketing, rollup.rows.flatMap(pointOf), thinned.rows.flatMap(pointOf)),
    bad: rollup.rows.reduce((sum, row) => sum + (row.bad ?? 0), 0),
    holds: about.info?.mode === "subscribe",
    intervalMs: typeof about.info?.intervalMs === "number" ? about.info.intervalMs : null,
  };
}

function pointOf(row: Omit<RollupRow, "bad">): RollupPoint[] {
  const { at, count, minimum, maximum, sum } = row;
  // A reading that is not finite has no place on a chart, and neither has a signal that its machine did not have then.
  if (!(count > 0) || !isNumber(minimum) || !isNumber(maximum) || !isNumber(sum)) return [];
  return [{ timeMs: at.getTime(), count, minimum, maximum, sum }];
}

function isNumber(value: number | null): value is number {
  return value !== null && Number.isFinite(value);
}

async function readAbout(
  sql: Sql,
  machineId: string,
  signal: string,
): Promise<{ info: SignalAbout | undefined; known: boolean }> {
  const { rows } = await sql.prepared<{ info: unknown; known: boolean }>(
    "trend-about",
    `SELECT (SELECT jsonb_agg(each) FROM jsonb_array_elements(CASE WHEN jsonb_typeof(m.signal_info) = 'array' THEN m.signal_info ELSE '[]' END) each
              WHERE each->>'name' = $2) AS info,
            EXISTS (SELECT 1 FROM model.signal_set s WHERE s.machine_id = m.machine_id AND $2 = ANY (s.signals)) AS known
       FROM model.machine_latest m WHERE m.machine_id = $1`,
    [machineId, signal],
  );
  const [row] = rows;
  return { info: infoByName(row?.info).get(signal), known: row?.known ?? false };
}
