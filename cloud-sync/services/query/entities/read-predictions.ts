import type { Sql } from "../../../database/database.ts";
import { Conditions, instant } from "../paging/conditions.ts";
import { type Page, readPage } from "../paging/page.ts";
import type { PredictionView } from "./schema.ts";
import { type TimeOrder, timeOrder } from "./time-order.ts";

export interface PredictionsQuery {
  readonly factory?: string;
  readonly machine?: string;
  readonly requirement?: string;
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
  readonly requirement: string;
  readonly probability: number | null;
  readonly remaining_hours: number | null;
  readonly remaining_hours_low: number | null;
  readonly remaining_hours_high: number | null;
  readonly outside_training: boolean;
  readonly signals: unknown;
  readonly message: string;
  readonly model: string;
  readonly model_version: string;
  readonly scored_by: "edge" | "cloud";
}

export async function readPredictions(sql: Sql, query: PredictionsQuery): Promise<Page<PredictionView>> {
  const { factory, machine, requirement, fromMs, toMs, order, limit, cursor } = query;
  const conditions = new Conditions()
    .add("factory_id = ?", factory)
    .add("machine_id = ?", machine)
    .add("requirement = ?", requirement)
    .add("event_at >= ?", instant(fromMs))
    .add("event_at < ?", instant(toMs));
  const page = await readPage<Row>(sql, {
    select:
      "machine_id, id, factory_id, entity_id, event_at, requirement, probability, remaining_hours, remaining_hours_low, remaining_hours_high, outside_training, signals, message, model, model_version, scored_by",
    from: "model.prediction",
    conditions,
    order: timeOrder(order, "event_at", "id"),
    limit,
    cursor,
    question: ["predictions", factory, machine, requirement, fromMs, toMs, order],
  });
  const rows = page.rows.map(
    (row): PredictionView => ({
      machineId: row.machine_id,
      factoryId: row.factory_id,
      id: row.id,
      entityId: row.entity_id,
      atMs: row.event_at.getTime(),
      requirement: row.requirement,
      probability: row.probability,
      remainingHours: row.remaining_hours,
      remainingHoursLow: row.remaining_hours_low,
      remainingHoursHigh: row.remaining_hours_high,
      outsideTraining: row.outside_training,
      signals: row.signals,
      message: row.message,
      model: `${row.model}@${row.model_version}`,
      scoredBy: row.scored_by,
    }),
  );
  return { rows, nextCursor: page.nextCursor };
}
