import type { Sql } from "../../../database/database.ts";
import { Conditions, instant } from "../paging/conditions.ts";
import { type Page, readPage } from "../paging/page.ts";
import type { EntityEventView } from "./schema.ts";
import { type TimeOrder, timeOrder } from "./time-order.ts";

export interface TelemetryQuery {
  readonly factory?: string;
  readonly machine?: string;
  readonly entity?: string;
  readonly eventType?: string;
  readonly fromMs?: number;
  readonly toMs?: number;
  readonly order: TimeOrder;
  readonly limit: number;
  readonly cursor?: string;
}

interface Row {
  readonly machine_id: string;
  readonly id: string;
  readonly factory_id: string;
  readonly entity_type: string;
  readonly entity_id: string;
  readonly event_type: string;
  readonly event_data: unknown;
  readonly event_at: Date;
  readonly epoch: string;
  readonly seq: number;
  readonly caused_by: string | null;
}

/** MachineTelemetry: telemetry entities and the events that derive from them. */
export async function readTelemetry(sql: Sql, query: TelemetryQuery): Promise<Page<EntityEventView>> {
  const { factory, machine, entity, eventType, fromMs, toMs, order, limit, cursor } = query;
  const conditions = new Conditions()
    .add("factory_id = ?", factory)
    .add("machine_id = ?", machine)
    .add("entity_id = ?", entity)
    .add("event_type = ?", eventType)
    .add("event_at >= ?", instant(fromMs))
    .add("event_at < ?", instant(toMs));
  const page = await readPage<Row>(sql, {
    select:
      "machine_id, id, factory_id, entity_type, entity_id, event_type, event_data, event_at, epoch, seq, caused_by",
    from: "model.entity_event",
    conditions,
    order: timeOrder(order, "event_at", "id"),
    limit,
    cursor,
    question: ["telemetry", factory, machine, entity, eventType, fromMs, toMs, order],
  });
  const rows = page.rows.map(
    (row): EntityEventView => ({
      machineId: row.machine_id,
      factoryId: row.factory_id,
      id: row.id,
      entityType: row.entity_type,
      entityId: row.entity_id,
      eventType: row.event_type,
      atMs: row.event_at.getTime(),
      epoch: row.epoch,
      seq: row.seq,
      causedBy: row.caused_by,
      data: row.event_data,
    }),
  );
  return { rows, nextCursor: page.nextCursor };
}
