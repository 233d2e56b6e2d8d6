import type { Sql } from "../../../database/database.ts";
import { Conditions, instant } from "../paging/conditions.ts";
import { entityValue, TELEMETRY_INGEST } from "./entity-value.ts";
import { readUnit } from "./read-electricity.ts";
import type { ClassReport } from "./schema.ts";

/** Points of the whole chart. */
const POINTS_MAX = 2_000;
const CLASSES_MAX = 50;

export interface ClassesQuery {
  readonly fromMs: number;
  readonly toMs: number;
  /** Signals of the two axes. */
  readonly x: string;
  readonly y: string;
  readonly model?: string;
  readonly factory?: string;
  readonly machine?: string;
}

interface ClassRow {
  readonly requirement: string;
  readonly count: number;
  readonly outside: number;
  readonly x_mean: number;
  readonly x_sd: number | null;
  readonly y_mean: number;
  readonly y_sd: number | null;
  readonly x_min: number;
  readonly x_max: number;
  readonly y_min: number;
  readonly y_max: number;
  readonly xs: number[] | null;
  readonly ys: number[] | null;
}

/**
 * Where in temperature and pressure does each maintenance class lie?
 *
 * Each prediction of model.prediction in the span is joined with the telemetry entity that it says something of (model.entity_event,
 * Telemetry Ingest, same machine and entity_id), so that the class stands beside the readings that it was made of. When several models, or
 * edge and cloud, have spoken of one entity, the edge's word counts, then the model's name and newer version. Counts and means are of all;
 * the points of each class are a sample that does not change from call to call (by a hash of the entity), small classes whole.
 */
export async function readClasses(sql: Sql, query: ClassesQuery): Promise<ClassReport> {
  const { fromMs, toMs, x, y, model, factory, machine } = query;
  const conditions = new Conditions();
  const xValue = entityValue("e.event_data", conditions.parameter(x));
  const yValue = entityValue("e.event_data", conditions.parameter(y));
  const ingest = conditions.parameter(TELEMETRY_INGEST);
  conditions
    .add("p.event_at >= ?", instant(fromMs))
    .add("p.event_at < ?", instant(toMs))
    .add("p.model = ?", model)
    .add("p.factory_id = ?", factory)
    .add("p.machine_id = ?", machine);
  const [{ rows }, xUnit, yUnit] = await Promise.all([
    sql.query<ClassRow>(
      `WITH pair AS MATERIALIZED (
         SELECT DISTINCT ON (p.machine_id, p.entity_id) p.requirement, p.outside_training, p.entity_id, ${xValue} AS x, ${yValue} AS y
           FROM model.prediction p
           JOIN model.entity_event e ON e.machine_id = p.machine_id AND e.entity_id = p.entity_id AND e.event_type = ${ingest}
          WHERE ${conditions.text}
          ORDER BY p.machine_id, p.entity_id, p.scored_by DESC, p.model, string_to_array(p.model_version, '.') DESC, p.id),
       placed AS (
         SELECT *, row_number() OVER (PARTITION BY requirement ORDER BY hashtext(entity_id), entity_id) AS place
           FROM pair WHERE x IS NOT NULL AND y IS NOT NULL)
       SELECT requirement, count(*) AS count, count(*) FILTER (WHERE outside_training) AS outside,
              avg(x) AS x_mean, stddev_samp(x) AS x_sd, avg(y) AS y_mean, stddev_samp(y) AS y_sd,
              min(x) AS x_min, max(x) AS x_max, min(y) AS y_min, max(y) AS y_max,
              array_agg(x ORDER BY place) FILTER (WHERE place <= ${POINTS_MAX}) AS xs,
              array_agg(y ORDER BY place) FILTER (WHERE place <= ${POINTS_MAX}) AS ys
         FROM placed GROUP BY requirement ORDER BY count(*) DESC, requirement LIMIT ${CLASSES_MAX}`,
      conditions.values,
    ),
    readUnit(sql, x),
    readUnit(sql, y),
  ]);
  const shares = sharesOf(rows.map(({ count }) => count));
  return {
    fromMs,
    toMs,
    x: { signal: x, unit: xUnit },
    y: { signal: y, unit: yUnit },
    classes: rows.map((row, index) => ({
      requirement: row.requirement,
      count: row.count,
      outside: row.outside,
      x: { mean: row.x_mean, sd: row.x_sd },
      y: { mean: row.y_mean, sd: row.y_sd },
      points: (row.xs ?? [])
        .slice(0, shares[index])
        .map((each, at): [number, number] => [each, row.ys?.[at] ?? Number.NaN]),
    })),
    bounds:
      rows.length === 0
        ? null
        : {
            xMin: Math.min(...rows.map((row) => row.x_min)),
            xMax: Math.max(...rows.map((row) => row.x_max)),
            yMin: Math.min(...rows.map((row) => row.y_min)),
            yMax: Math.max(...rows.map((row) => row.y_max)),
          },
    sampled: rows.some(({ count }, index) => count > (shares[index] ?? 0)),
  };
}

/** How many points each class may show: small ones all of theirs, the others what is left in equal parts. */
export function sharesOf(counts: readonly number[], pointsMax = POINTS_MAX): number[] {
  let left = pointsMax;
  const shares = new Array<number>(counts.length).fill(0);
  const bySize = counts.map((count, index) => ({ count, index })).sort((a, b) => a.count - b.count);
  for (const [at, { count, index }] of bySize.entries()) {
    const share = Math.min(count, Math.floor(left / (bySize.length - at)));
    shares[index] = share;
    left -= share;
  }
  return shares;
}
