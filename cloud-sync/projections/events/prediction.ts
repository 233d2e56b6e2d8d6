import type { JsonObject } from "../../contract/event.ts";
import type { Sql } from "../../database/database.ts";
import type { Change, Projection } from "../projection.ts";
import { instant, jsonLiteral, plainText } from "../sql/literals.ts";
import { addToWindows } from "./maintenance-windows.ts";
import { type FeedEvent, idOf, numberIn, objectIn, once, rareEventsOf, textIn } from "./rare-rows.ts";

/**
 * model.prediction, and model.maintenance_aggregate with it: a prediction is counted in its windows in the statement's transaction that
 * first inserts it, so that neither comes twice and one never says what the other does not.
 */
export class Predictions implements Projection {
  readonly name = "prediction";
  readonly version = 1;
  readonly containers = ["telemetry", "scored_telemetry"] as const;
  readonly gatherMs = 150;

  async apply(changes: readonly Change[], sql: Sql): Promise<void> {
    const rows = once(rareEventsOf(changes, "prediction").map(rowOf), (row) => JSON.stringify([row.machineId, row.id]));
    if (rows.length === 0) return;
    const { rows: inserted } = await sql.prepared<{ machine_id: string; id: string }>(
      "model_prediction",
      `INSERT INTO model.prediction (machine_id, id, factory_id, entity_id, event_at, requirement, probability, remaining_hours,
         remaining_hours_low, remaining_hours_high, outside_training, signals, message, model, model_version, scored_by)
       SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::text[], $7::double precision[],
         $8::double precision[], $9::double precision[], $10::double precision[], $11::boolean[], $12::jsonb[], $13::text[],
         $14::text[], $15::text[], $16::text[])
       ON CONFLICT (machine_id, id) DO NOTHING RETURNING machine_id, id`,
      COLUMNS.map((column) => rows.map((row) => row[column])),
    );
    const isNew = new Set(inserted.map(({ machine_id, id }) => JSON.stringify([machine_id, id])));
    await addToWindows(
      rows.filter(({ machineId, id }) => isNew.has(JSON.stringify([machineId, id]))),
      sql,
    );
  }

  async reset(sql: Sql, keepBeforeMs: number): Promise<void> {
    const before = new Date(keepBeforeMs);
    await sql.query("DELETE FROM model.prediction WHERE event_at >= $1", [before]);
    await sql.query("DELETE FROM model.maintenance_aggregate WHERE window_at >= $1", [before]);
  }
}

const COLUMNS = [
  "machineId",
  "id",
  "factoryId",
  "entityId",
  "at",
  "requirement",
  "probability",
  "hours",
  "hoursLow",
  "hoursHigh",
  "isOutside",
  "signals",
  "message",
  "model",
  "modelVersion",
  "scoredBy",
] as const;

interface PredictionRow {
  readonly machineId: string;
  readonly id: string;
  readonly factoryId: string;
  readonly entityId: string;
  readonly at: string;
  readonly requirement: string;
  readonly probability: number | null;
  readonly hours: number | null;
  readonly hoursLow: number | null;
  readonly hoursHigh: number | null;
  readonly isOutside: boolean;
  readonly signals: string;
  readonly message: string;
  readonly model: string;
  readonly modelVersion: string;
  readonly scoredBy: "edge" | "cloud";
}

function rowOf({ event, fields, scoredBy }: FeedEvent): PredictionRow {
  const data = event.data as JsonObject;
  const [remaining, model] = [objectIn(data, "remainingHours"), objectIn(data, "model")];
  return {
    machineId: event.machineId,
    id: idOf(event),
    factoryId: plainText(fields.factoryId),
    entityId: plainText(event.entityId),
    at: instant(event.timeMs),
    requirement: textIn(data, "requirement") ?? "unknown",
    probability: numberIn(data, "probability"),
    hours: numberIn(remaining, "value") ?? numberIn(data, "remainingHours"),
    hoursLow: numberIn(remaining, "low"),
    hoursHigh: numberIn(remaining, "high"),
    isOutside: data.outsideTraining === true,
    signals: jsonLiteral(Array.isArray(data.signals) ? data.signals : []),
    message: textIn(data, "message") ?? "",
    model: textIn(model, "name") ?? textIn(data, "model") ?? "",
    modelVersion: textIn(model, "version") ?? "",
    scoredBy,
  };
}
