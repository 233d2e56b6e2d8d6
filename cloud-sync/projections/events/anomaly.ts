import type { JsonObject } from "../../contract/event.ts";
import type { Sql } from "../../database/database.ts";
import type { Change, Projection } from "../projection.ts";
import { instant, plainText } from "../sql/literals.ts";
import { type FeedEvent, idOf, numberIn, objectIn, once, rareEventsOf, textIn } from "./rare-rows.ts";

/** model.anomaly: what models found unusual. */
export class Anomalies implements Projection {
  readonly name = "anomaly";
  readonly version = 1;
  readonly containers = ["telemetry", "scored_telemetry"] as const;
  readonly gatherMs = 150;

  async apply(changes: readonly Change[], sql: Sql): Promise<void> {
    const rows = once(rareEventsOf(changes, "anomaly").map(rowOf), (row) => JSON.stringify([row.machineId, row.id]));
    if (rows.length === 0) return;
    await sql.prepared(
      "model_anomaly",
      `INSERT INTO model.anomaly (machine_id, id, factory_id, entity_id, event_at, kind, signal, value, score, threshold,
                                  expected_low, expected_high, message, model, model_version, scored_by)
       SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::text[], $7::text[],
         $8::double precision[], $9::double precision[], $10::double precision[], $11::double precision[],
         $12::double precision[], $13::text[], $14::text[], $15::text[], $16::text[])
       ON CONFLICT (machine_id, id) DO NOTHING`,
      COLUMNS.map((column) => rows.map((row) => row[column])),
    );
  }

  async reset(sql: Sql, keepBeforeMs: number): Promise<void> {
    await sql.query("DELETE FROM model.anomaly WHERE event_at >= $1", [new Date(keepBeforeMs)]);
  }
}

const COLUMNS = [
  "machineId",
  "id",
  "factoryId",
  "entityId",
  "at",
  "kind",
  "signal",
  "value",
  "score",
  "threshold",
  "low",
  "high",
  "message",
  "model",
  "modelVersion",
  "scoredBy",
] as const;

function rowOf({ event, fields, scoredBy }: FeedEvent): Record<(typeof COLUMNS)[number], string | number | null> {
  const data = event.data as JsonObject;
  const [expected, model] = [objectIn(data, "expected"), objectIn(data, "model")];
  return {
    machineId: event.machineId,
    id: idOf(event),
    factoryId: plainText(fields.factoryId),
    entityId: plainText(event.entityId),
    at: instant(event.timeMs),
    kind: textIn(data, "kind") ?? "unknown",
    signal: textIn(data, "signal"),
    value: numberIn(data, "value"),
    score: numberIn(data, "score"),
    threshold: numberIn(data, "threshold"),
    low: numberIn(expected, "low"),
    high: numberIn(expected, "high"),
    message: textIn(data, "message") ?? "",
    model: textIn(model, "name") ?? textIn(data, "model") ?? "",
    modelVersion: textIn(model, "version") ?? "",
    scoredBy,
  };
}
