import { type FastifyPluginAsyncTypebox, Type } from "@fastify/type-provider-typebox";
import type { QueryContext } from "../query-context.ts";
import { invalid } from "../refusals.ts";
import { failures, Id, oneOf, paging, Query, span, where } from "../schemas.ts";
import { readAggregates } from "./read-aggregates.ts";
import { AggregatePage, GROUPS } from "./schema.ts";

/** Rows are small, and a chart wants all windows of all factories at once. */
const ROWS_MAX = 5_000;
const DAY_MS = 86_400_000;
/** Days that are looked at, by the hours of a window. */
const DAYS_MAX = { 1: 32, 24: 400 } as const;
const DAYS_DEFAULT = { 1: 1, 24: 30 } as const;

export function maintenanceRoutes({ sql, clock }: QueryContext): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.get(
      "/api/query/maintenance",
      {
        schema: {
          summary: "MaintenanceAggregate: counts of predictions in windows, by requirement, factory and machine",
          querystring: Query({
            windowHours: Type.Union([Type.Literal(1), Type.Literal(24)], { default: 1 }),
            by: Type.Array(oneOf(GROUPS), {
              default: ["window", "requirement"],
              maxItems: GROUPS.length,
              description: "what is not named is summed over",
            }),
            ...where,
            requirement: Type.Optional(Id("only this maintenance requirement")),
            ...span,
            limit: Type.Integer({ minimum: 1, maximum: ROWS_MAX, default: 500, description: "rows of a page" }),
            cursor: paging.cursor,
          }),
          response: { 200: AggregatePage, ...failures },
        },
      },
      (request) => {
        const { windowHours } = request.query;
        const toMs = request.query.toMs ?? alignedMs(clock.nowMs(), windowHours) + windowHours * 3_600_000;
        const fromMs = request.query.fromMs ?? alignedMs(toMs, windowHours) - DAYS_DEFAULT[windowHours] * DAY_MS;
        if (fromMs >= toMs) throw invalid("fromMs must be before toMs");
        if (toMs - fromMs > DAYS_MAX[windowHours] * DAY_MS + windowHours * 3_600_000)
          throw invalid(`windows of ${windowHours} h are read for ${DAYS_MAX[windowHours]} days at most`);
        return readAggregates(sql, {
          ...request.query,
          fromMs,
          toMs,
          asked: [request.query.fromMs, request.query.toMs],
        });
      },
    );
  };
}

/** The begin of the window that holds the time: pages of one list must ask for the same span. */
function alignedMs(timeMs: number, hours: number): number {
  const windowMs = hours * 3_600_000;
  return Math.floor(timeMs / windowMs) * windowMs;
}
