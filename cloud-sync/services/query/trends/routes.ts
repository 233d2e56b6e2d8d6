import { type FastifyPluginAsyncTypebox, Type } from "@fastify/type-provider-typebox";
import type { QueryContext } from "../query-context.ts";
import { busy, invalid } from "../refusals.ts";
import { failures, Id, Query, span } from "../schemas.ts";
import { readTrend, SERIES_MAX, SPAN_MS_MAX } from "./read-trend.ts";
import { Trend } from "./schema.ts";

const SPAN_MS_DEFAULT = 24 * 3_600_000;
/** Trends that are read at the same time; each is up to eight long reads. */
const TRENDS_MAX = 16;

export function trendRoutes({ sql, clock }: QueryContext): FastifyPluginAsyncTypebox {
  let running = 0;
  return async (app) => {
    app.get(
      "/api/query/trends",
      {
        schema: {
          summary: "Trends of up to eight signals, across machines and factories",
          querystring: Query({
            machine: Type.Array(Id("machine id"), {
              maxItems: SERIES_MAX,
              description: "once for each signal, in their order",
            }),
            signal: Type.Array(Id("name of the signal"), { maxItems: SERIES_MAX }),
            ...span,
          }),
          response: { 200: Trend, ...failures },
        },
      },
      async (request) => {
        const { machine, signal } = request.query;
        const toMs = request.query.toMs ?? clock.nowMs() + 1;
        const fromMs = request.query.fromMs ?? Math.max(0, toMs - SPAN_MS_DEFAULT);
        if (machine.length !== signal.length)
          throw invalid(
            `${machine.length} machines and ${signal.length} signals were named; each signal needs its machine`,
          );
        if (fromMs >= toMs) throw invalid("fromMs must be before toMs");
        if (toMs - fromMs > SPAN_MS_MAX) throw invalid("a trend spans three years at most");
        if (running >= TRENDS_MAX) throw busy(`${TRENDS_MAX} trends are being read already`);
        running += 1;
        try {
          const keys = machine.map((machineId, index) => ({ machineId, signal: signal[index] as string }));
          return await readTrend(sql, keys, fromMs, toMs);
        } finally {
          running -= 1;
        }
      },
    );
  };
}
