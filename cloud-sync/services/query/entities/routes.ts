import { type FastifyPluginAsyncTypebox, Type } from "@fastify/type-provider-typebox";
import type { QueryContext } from "../query-context.ts";
import { failures, Id, oneOf, paging, Query, span, where } from "../schemas.ts";
import { ALARM_SELECTIONS, readAlarms } from "./read-alarms.ts";
import { readAnomalies } from "./read-anomalies.ts";
import { readPredictions } from "./read-predictions.ts";
import { readTelemetry } from "./read-telemetry.ts";
import { AlarmPage, AnomalyPage, EntityEventPage, PredictionPage } from "./schema.ts";

const order = oneOf(["newest", "oldest"], { default: "newest" });

export function entityRoutes({ sql }: QueryContext): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.get(
      "/api/query/telemetry",
      {
        schema: {
          summary: "MachineTelemetry: telemetry entities with the events that derive from them",
          querystring: Query({
            ...where,
            entity: Type.Optional(Id("only events of this entity_id")),
            eventType: Type.Optional(Id("for example Maintenance Prediction")),
            ...span,
            order,
            ...paging,
          }),
          response: { 200: EntityEventPage, ...failures },
        },
      },
      (request) => readTelemetry(sql, request.query),
    );
    app.get(
      "/api/query/anomalies",
      {
        schema: {
          summary: "Anomalies that the models of edge and cloud have found",
          querystring: Query({ ...where, kind: Type.Optional(Id("spike, dip, …")), ...span, order, ...paging }),
          response: { 200: AnomalyPage, ...failures },
        },
      },
      (request) => readAnomalies(sql, request.query),
    );
    app.get(
      "/api/query/alarms",
      {
        schema: {
          summary: "Alarms with the newest state of each",
          querystring: Query({
            ...where,
            priority: Type.Optional(Id("only this priority")),
            only: oneOf(ALARM_SELECTIONS, { default: "standing", description: "standing: all that are not normal" }),
            ...paging,
          }),
          response: { 200: AlarmPage, ...failures },
        },
      },
      (request) => readAlarms(sql, request.query),
    );
    app.get(
      "/api/query/predictions",
      {
        schema: {
          summary: "Maintenance predictions",
          querystring: Query({
            ...where,
            requirement: Type.Optional(Id("only this maintenance requirement")),
            ...span,
            order,
            ...paging,
          }),
          response: { 200: PredictionPage, ...failures },
        },
      },
      (request) => readPredictions(sql, request.query),
    );
  };
}
