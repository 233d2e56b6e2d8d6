import type { Sql } from "../../../database/database.ts";
import { Conditions, instant } from "../paging/conditions.ts";
import { entityValue, TELEMETRY_INGEST } from "./entity-value.ts";
import { type Moments, statisticsOf, together } from "./moments.ts";
import type { ElectricityReport } from "./schema.ts";

const BINS = 24;
const GROUPS_MAX = 500;

export interface ElectricityQuery {
  readonly fromMs: number;
  readonly toMs: number;
  readonly signal: string;
  readonly by: "factory" | "machine";
  readonly factory?: string;
  readonly machine?: string;
}

interface CellRow {
  readonly grp: string;
  readonly bin: number;
  readonly anomalous: boolean;
  readonly count: number;
  readonly mean: number;
  readonly variance: number;
  readonly minimum: number;
  readonly maximum: number;
}
interface RecordedRow {
  readonly grp: string;
  readonly count: number;
  readonly sum: number | null;
}

/**
 * How much electricity do anomalous readings use against all readings?
 *
 * A reading is a telemetry entity of model.entity_event (Telemetry Ingest) that measured the signal in the span. It is anomalous when
 * model.anomaly has an anomaly of the same machine and entity_id: of any signal, found by the edge or by the cloud. So both columns are of
 * the same measurement, not of a table of anomalies on one side and whatever was lying about on the other. Machines of which only events
 * with something to say become entities have fewer of them than readings: what all readings came to stands beside it (`recorded`), from
 * the hourly roll-ups of whole hours.
 */
export async function readElectricity(sql: Sql, query: ElectricityQuery): Promise<ElectricityReport> {
  const { fromMs, toMs, signal, by } = query;
  const [cells, recorded, unit] = await Promise.all([
    readCells(sql, query),
    readRecorded(sql, query),
    readUnit(sql, signal),
  ]);
  const names = [...new Set(cells.map(({ grp }) => grp))].sort();
  const momentsOf = (rows: readonly CellRow[]): Moments => together(rows.map(moments));
  const groups = names.slice(0, GROUPS_MAX).map((group) => {
    const own = cells.filter(({ grp }) => grp === group);
    const all = recorded.find(({ grp }) => grp === group);
    return {
      group,
      all: statisticsOf(momentsOf(own)),
      anomalous: statisticsOf(momentsOf(own.filter(({ anomalous }) => anomalous))),
      recorded: {
        count: all?.count ?? 0,
        mean: all === undefined || all.count === 0 ? null : (all.sum ?? 0) / all.count,
      },
    };
  });
  const total = momentsOf(cells);
  const truncated = names.length > GROUPS_MAX;
  return {
    fromMs,
    toMs,
    signal,
    unit,
    by,
    groups,
    total: {
      all: statisticsOf(total),
      anomalous: statisticsOf(momentsOf(cells.filter(({ anomalous }) => anomalous))),
    },
    bins: binsOf(cells, total),
    truncated,
  };
}

async function readCells(
  sql: Sql,
  { fromMs, toMs, signal, by, factory, machine }: ElectricityQuery,
): Promise<CellRow[]> {
  const conditions = new Conditions();
  const value = entityValue("e.event_data", conditions.parameter(signal));
  conditions
    .add("e.event_type = ?", TELEMETRY_INGEST)
    .add("e.event_at >= ?", instant(fromMs))
    .add("e.event_at < ?", instant(toMs))
    .add("e.factory_id = ?", factory)
    .add("e.machine_id = ?", machine);
  const { rows } = await sql.query<CellRow>(
    `WITH reading AS MATERIALIZED (
       SELECT e.${by}_id AS grp, ${value} AS v,
              EXISTS (SELECT 1 FROM model.anomaly a WHERE a.machine_id = e.machine_id AND a.entity_id = e.entity_id) AS anomalous
         FROM model.entity_event e WHERE ${conditions.text}),
     bounds AS (SELECT min(v) AS low, max(v) AS high FROM reading)
     SELECT grp, CASE WHEN high > low THEN least(width_bucket(v, low, high, ${BINS}), ${BINS}) ELSE 1 END AS bin, anomalous,
            count(*) AS count, avg(v) AS mean, coalesce(var_pop(v), 0)::float8 AS variance, min(v) AS minimum, max(v) AS maximum
       FROM reading, bounds WHERE v IS NOT NULL GROUP BY 1, 2, 3`,
    conditions.values,
  );
  return rows;
}

async function readRecorded(
  sql: Sql,
  { fromMs, toMs, signal, by, factory, machine }: ElectricityQuery,
): Promise<RecordedRow[]> {
  const conditions = new Conditions();
  const place = conditions.parameter(signal);
  conditions
    .add("r.hour_at >= ?", instant(fromMs))
    .add("r.hour_at < ?", instant(toMs))
    .add("m.factory_id = ?", factory)
    .add("r.machine_id = ?", machine);
  const { rows } = await sql.query<RecordedRow>(
    `SELECT ${by === "factory" ? "m.factory_id" : "r.machine_id"} AS grp,
            coalesce(sum(r.counts[s.place]), 0)::float8 AS count, sum(r.sums[s.place]) AS sum
       FROM model.rollup_1h r
       JOIN (SELECT machine_id, set_no, array_position(signals, ${place}::text) AS place FROM model.signal_set) s
         ON s.machine_id = r.machine_id AND s.set_no = r.set_no
       JOIN model.machine_latest m ON m.machine_id = r.machine_id
      WHERE s.place IS NOT NULL AND ${conditions.text} GROUP BY 1`,
    conditions.values,
  );
  return rows;
}

/** What the configuration of any machine says; the lab's own unit where none does. */
export async function readUnit(sql: Sql, signal: string): Promise<string> {
  const { rows } = await sql.query<{ unit: string | null }>(
    `SELECT jsonb_path_query_first(signal_info, '$[*] ? (@.name == $signal).unit', jsonb_build_object('signal', $1::text)) #>> '{}' AS unit
       FROM model.machine_latest
      WHERE signal_info @? '$[*].name' AND signal_info @> jsonb_build_array(jsonb_build_object('name', $1::text)) LIMIT 1`,
    [signal],
  );
  const lab: Readonly<Record<string, string>> = {
    electricityUtilization: "%",
    machineTemperature: "°C",
    machinePressure: "psi",
  };
  return rows[0]?.unit ?? lab[signal] ?? "";
}

function moments({ count, mean, variance, minimum, maximum }: CellRow): Moments {
  return { count, mean, squares: variance * count, minimum, maximum };
}

function binsOf(cells: readonly CellRow[], { count, minimum, maximum }: Moments): ElectricityReport["bins"] {
  if (count === 0) return [];
  const bins = maximum > minimum ? BINS : 1;
  const width = (maximum - minimum) / bins;
  return Array.from({ length: bins }, (_, index) => {
    const own = cells.filter(({ bin }) => bin === index + 1);
    const sum = (rows: readonly CellRow[]): number => rows.reduce((total, row) => total + row.count, 0);
    return {
      from: minimum + index * width,
      to: index === bins - 1 ? maximum : minimum + (index + 1) * width,
      all: sum(own),
      anomalous: sum(own.filter(({ anomalous }) => anomalous)),
    };
  });
}
