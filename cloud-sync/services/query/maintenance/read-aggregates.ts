import type { Sql } from "../../../database/database.ts";
import { Conditions, instant } from "../paging/conditions.ts";
import { type Order, type Page, readPage } from "../paging/page.ts";
import type { AggregateView, Group } from "./schema.ts";

export interface AggregatesQuery {
  readonly windowHours: 1 | 24;
  readonly by: readonly Group[];
  readonly factory?: string;
  readonly machine?: string;
  readonly requirement?: string;
  readonly fromMs: number;
  readonly toMs: number;
  /** As they were asked for: a default that moves with the time is the same question. */
  readonly asked: readonly (number | undefined)[];
  readonly limit: number;
  readonly cursor?: string;
}

interface Row {
  readonly window_at: Date | null;
  readonly requirement: string | null;
  readonly factory_id: string | null;
  readonly machine_id: string | null;
  readonly predictions: number;
  readonly outside: number;
  readonly machines: number;
  readonly first_at: Date;
  readonly last_at: Date;
}

const COLUMNS: Readonly<Record<Group, { readonly column: string; readonly type: "timestamptz" | "text" }>> = {
  window: { column: "window_at", type: "timestamptz" },
  factory: { column: "factory_id", type: "text" },
  machine: { column: "machine_id", type: "text" },
  requirement: { column: "requirement", type: "text" },
};

/** MaintenanceAggregate: counts of predictions in windows of event time, summed over what is not grouped by. The newest window first. */
export async function readAggregates(sql: Sql, query: AggregatesQuery): Promise<Page<AggregateView>> {
  const { windowHours, by, factory, machine, requirement, fromMs, toMs, asked, limit, cursor } = query;
  const conditions = new Conditions();
  const narrow = (text: string, value: unknown): string =>
    value === undefined ? "" : ` AND ${text.replace("?", conditions.parameter(value))}`;
  const groups = (Object.keys(COLUMNS) as Group[]).filter((group) => by.includes(group)).map((group) => COLUMNS[group]);
  const columns = groups.map(({ column }) => column);
  const absent = Object.values(COLUMNS)
    .filter(({ column }) => !columns.includes(column))
    .map(({ column, type }) => `NULL::${type} AS ${column}`);
  const from = `(
    SELECT ${[...columns, ...absent].join(", ")}, sum(predictions)::float8 AS predictions, sum(outside)::float8 AS outside,
           count(DISTINCT machine_id) AS machines, min(first_at) AS first_at, max(last_at) AS last_at
      FROM model.maintenance_aggregate
     WHERE window_hours = ${conditions.parameter(windowHours)}${narrow("window_at >= ?", instant(fromMs))}${narrow("window_at < ?", instant(toMs))}${narrow("factory_id = ?", factory)}${narrow("machine_id = ?", machine)}${narrow("requirement = ?", requirement)}
     ${columns.length === 0 ? "HAVING count(*) > 0" : `GROUP BY ${columns.join(", ")}`}) g`;
  const order: Order = {
    keys:
      groups.length === 0
        ? [{ sql: "first_at", type: "timestamptz" }]
        : groups.map(({ column, type }) => ({ sql: column, type })),
    direction: "DESC",
  };
  const page = await readPage<Row>(sql, {
    select: "window_at, requirement, factory_id, machine_id, predictions, outside, machines, first_at, last_at",
    from,
    conditions,
    order,
    limit,
    cursor,
    question: ["maintenance", windowHours, columns, factory, machine, requirement, asked],
  });
  const rows = page.rows.map(
    (row): AggregateView => ({
      windowMs: row.window_at?.getTime() ?? null,
      requirement: row.requirement,
      factoryId: row.factory_id,
      machineId: row.machine_id,
      predictions: row.predictions,
      outside: row.outside,
      machines: row.machines,
      firstMs: row.first_at.getTime(),
      lastMs: row.last_at.getTime(),
    }),
  );
  return { rows, nextCursor: page.nextCursor };
}
