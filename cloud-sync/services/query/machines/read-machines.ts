import type { Sql } from "../../../database/database.ts";
import { Conditions, containing } from "../paging/conditions.ts";
import { type Order, type Page, readPage } from "../paging/page.ts";
import type { MachineView } from "./schema.ts";

export interface MachinesQuery {
  readonly factory?: string;
  readonly state?: string;
  readonly text?: string;
  readonly order: "need" | "freshness" | "name";
  readonly limit: number;
  readonly cursor?: string;
}

/** Newest predictions of a machine that are looked at: several models may have said something, each again and again. */
const PREDICTIONS_LOOKED_AT = 16;
/** Of a machine m: without a link its own state is only a memory. */
export const STATE =
  "CASE WHEN m.link_state = 'disconnected' THEN 'disconnected' ELSE coalesce(m.state, 'unknown') END";
const NAME = "coalesce(nullif(d.data->>'name', ''), m.machine_id)";

/**
 * Something to do first, then by the hours that are left (unknown: last), then the surest. What stands in the way of a keyset, null and
 * a falling order among rising ones, is turned round.
 */
const NEED_KEYS: Order["keys"] = [
  { sql: "CASE WHEN coalesce(n.requirement, 'none') = 'none' THEN 1 ELSE 0 END::float8", type: "float8" },
  { sql: "coalesce(n.remaining_hours, 'Infinity'::float8)", type: "float8" },
  { sql: "-coalesce(n.probability, 0)", type: "float8" },
  { sql: "m.machine_id", type: "text" },
];
/** Newest word of each model, of these the most urgent. */
const NEED = `LATERAL (
  SELECT * FROM (
    SELECT DISTINCT ON (p.model) p.* FROM (
      SELECT q.requirement, q.probability, q.remaining_hours, q.remaining_hours_low, q.remaining_hours_high, q.outside_training,
             q.message, q.model, q.model_version, q.event_at
        FROM model.prediction q WHERE q.machine_id = m.machine_id ORDER BY q.event_at DESC LIMIT ${PREDICTIONS_LOOKED_AT}) p
     ORDER BY p.model, p.event_at DESC) newest
   ORDER BY newest.requirement = 'none', newest.remaining_hours NULLS LAST, newest.probability DESC NULLS LAST, newest.model
   LIMIT 1)`;

const ORDERS: Readonly<Record<MachinesQuery["order"], Order>> = {
  need: { keys: NEED_KEYS, direction: "ASC" },
  freshness: {
    keys: [
      { sql: "m.event_at", type: "timestamptz" },
      { sql: "m.machine_id", type: "text" },
    ],
    direction: "ASC",
  },
  name: {
    keys: [
      { sql: NAME, type: "text" },
      { sql: "m.machine_id", type: "text" },
    ],
    direction: "ASC",
  },
};

/** The stream of what concerns a factory's box rather than one machine (contract/event.ts, edgeStreamOf) is no machine. */
export const IS_MACHINE = "NOT m.removed AND m.machine_id <> m.factory_id || '/edge'";

/** Columns and tables of a machine without its values. */
export const SUMMARY = `m.machine_id, m.factory_id, ${NAME} AS name, m.type_name, m.device_id, ${STATE} AS state, m.state_at, m.link_detail,
  m.event_at, n.requirement, n.probability, n.remaining_hours, n.remaining_hours_low, n.remaining_hours_high, n.outside_training,
  n.message, n.model, n.model_version, n.event_at AS need_at`;
export const SUMMARY_FROM = `model.machine_latest m
  LEFT JOIN model.metadata d ON d.kind = 'machine' AND d.id = m.machine_id AND NOT d.deleted
  LEFT JOIN ${NEED} n ON true`;

export interface SummaryRow {
  readonly machine_id: string;
  readonly factory_id: string;
  readonly name: string;
  readonly type_name: string | null;
  readonly device_id: string;
  readonly state: string;
  readonly state_at: Date | null;
  readonly link_detail: string | null;
  readonly event_at: Date;
  readonly requirement: string | null;
  readonly probability: number | null;
  readonly remaining_hours: number | null;
  readonly remaining_hours_low: number | null;
  readonly remaining_hours_high: number | null;
  readonly outside_training: boolean | null;
  readonly message: string | null;
  readonly model: string | null;
  readonly model_version: string | null;
  readonly need_at: Date | null;
}

/**
 * Machines of all factories. By need: something to do first, the fewest hours left first, the surest first. By freshness: the longest
 * silent first; one that is heard of while pages are read moves to the end and may be read twice, never missed.
 */
export async function readMachines(sql: Sql, query: MachinesQuery): Promise<Page<MachineView>> {
  const { factory, state, text, order, limit, cursor } = query;
  const conditions = new Conditions()
    .fixed(IS_MACHINE)
    .add("m.factory_id = ?", factory)
    .add(`${STATE} = ?`, state)
    .add(`(m.machine_id ILIKE ? OR d.data->>'name' ILIKE ? OR m.type_name ILIKE ?)`, containing(text));
  const page = await readPage<SummaryRow>(sql, {
    select: SUMMARY,
    from: SUMMARY_FROM,
    conditions,
    order: ORDERS[order],
    limit,
    cursor,
    question: ["machines", factory, state, text, order],
  });
  return { rows: page.rows.map(machineView), nextCursor: page.nextCursor };
}

export function machineView(row: SummaryRow): MachineView {
  return {
    machineId: row.machine_id,
    factoryId: row.factory_id,
    name: row.name,
    typeName: row.type_name,
    deviceId: row.device_id,
    state: row.state,
    stateMs: row.state_at?.getTime() ?? null,
    linkDetail: row.link_detail,
    newestMs: row.event_at.getTime(),
    need:
      row.requirement === null
        ? null
        : {
            requirement: row.requirement,
            probability: row.probability,
            remainingHours: row.remaining_hours,
            remainingHoursLow: row.remaining_hours_low,
            remainingHoursHigh: row.remaining_hours_high,
            outsideTraining: row.outside_training ?? false,
            message: row.message ?? "",
            model: `${row.model}@${row.model_version}`,
            atMs: row.need_at?.getTime() ?? 0,
          },
  };
}
