import type { Sql } from "../../../database/database.ts";
import { Conditions, instant } from "../paging/conditions.ts";
import { type Page, readPage } from "../paging/page.ts";
import type { AnomalyView } from "./schema.ts";
import { type TimeOrder, timeOrder } from "./time-order.ts";

export interface AnomaliesQuery {
  readonly factory?: string;
  readonly machine?: string;
  readonly kind?: string;
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
  readonly entity_id: string;
  readonly event_at: Date;
  readonly kind: string;
  readonly signal: string | null;
  readonly value: number | null;
  readonly score: number | null;
  readonly threshold: number | null;
  readonly expected_low: number | null;
  readonly expected_high: number | null;
  readonly message: string;
  readonly model: string;
  readonly model_version: string;
  readonly scored_by: "edge" | "cloud";
}

export async function readAnomalies(sql: Sql, query: AnomaliesQuery): Promise<Page<AnomalyView>> {
  const { factory, machine, kind, fromMs, toMs, order, limit, cursor } = query;
  const conditions = new Conditions()
    .add("factory_id = ?", factory)
    .add("machine_id = ?", machine)
    .add("kind = ?", kind)
    .add("event_at >= ?", instant(fromMs))
    .add("event_at < ?", instant(toMs));
  const page = await readPage<Row>(sql, {
    select:
      "machine_id, id, factory_id, entity_id, event_at, kind, signal, value, score, threshold, expected_low, expected_high, message, model, model_version, scored_by",
    from: "model.anomaly",
    conditions,
    order: timeOrder(order, "event_at", "id"),
    limit,
    cursor,
    question: ["anomalies", factory, machine, kind, fromMs, toMs, order],
  });
  const rows = page.rows.map(
    (row): AnomalyView => ({
      machineId: row.machine_id,
      factoryId: row.factory_id,
      id: row.id,
      entityId: row.entity_id,
      atMs: row.event_at.getTime(),
      kind: row.kind,
      signal: row.signal,
      value: row.value,
      score: row.score,
      threshold: row.threshold,
      expectedLow: row.expected_low,
      expectedHigh: row.expected_high,
      message: row.message,
      model: `${row.model}@${row.model_version}`,
      scoredBy: row.scored_by,
    }),
  );
  return { rows, nextCursor: page.nextCursor };
}
