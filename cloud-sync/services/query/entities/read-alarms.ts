import type { Sql } from "../../../database/database.ts";
import { ACTIVE, UNACKNOWLEDGED } from "../overview/read-overview.ts";
import { Conditions } from "../paging/conditions.ts";
import { type Page, readPage } from "../paging/page.ts";
import type { AlarmView } from "./schema.ts";
import { timeOrder } from "./time-order.ts";

export const ALARM_SELECTIONS = ["standing", "unacknowledged", "active", "all"] as const;

export interface AlarmsQuery {
  readonly factory?: string;
  readonly machine?: string;
  readonly priority?: string;
  readonly only: (typeof ALARM_SELECTIONS)[number];
  readonly limit: number;
  readonly cursor?: string;
}

interface Row {
  readonly machine_id: string;
  readonly alarm_id: string;
  readonly factory_id: string;
  readonly source: string;
  readonly signal: string | null;
  readonly priority: string;
  readonly state: string;
  readonly message: string;
  readonly raised_at: Date;
  readonly changed_at: Date;
  readonly acknowledged_by: string | null;
  readonly occurrences: number;
}

/**
 * Alarms with the newest state of each, by when they were raised, the newest first. standing: all that are not normal. When an alarm is
 * raised anew while pages are read, it is on the first page of whoever begins again.
 */
export async function readAlarms(sql: Sql, query: AlarmsQuery): Promise<Page<AlarmView>> {
  const { factory, machine, priority, only, limit, cursor } = query;
  const conditions = new Conditions()
    .add("factory_id = ?", factory)
    .add("machine_id = ?", machine)
    .add("priority = ?", priority);
  if (only === "standing") conditions.fixed("state <> 'normal'");
  if (only === "unacknowledged") conditions.add("state = ANY (?)", UNACKNOWLEDGED);
  if (only === "active") conditions.add("state = ANY (?)", ACTIVE);
  const page = await readPage<Row>(sql, {
    select:
      "machine_id, alarm_id, factory_id, source, signal, priority, state, message, raised_at, changed_at, acknowledged_by, occurrences",
    from: "model.alarm",
    conditions,
    order: timeOrder("newest", "raised_at", "alarm_id"),
    limit,
    cursor,
    question: ["alarms", factory, machine, priority, only],
  });
  const rows = page.rows.map(
    (row): AlarmView => ({
      machineId: row.machine_id,
      factoryId: row.factory_id,
      alarmId: row.alarm_id,
      source: row.source,
      signal: row.signal,
      priority: row.priority,
      state: row.state,
      message: row.message,
      raisedMs: row.raised_at.getTime(),
      changedMs: row.changed_at.getTime(),
      acknowledgedBy: row.acknowledged_by,
      occurrences: row.occurrences,
    }),
  );
  return { rows, nextCursor: page.nextCursor };
}
