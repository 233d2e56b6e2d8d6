import { type FastifyPluginAsyncTypebox, Type } from "@fastify/type-provider-typebox";
import type { QueryContext } from "../query-context.ts";
import { failures } from "../schemas.ts";
import { OverviewCache } from "./overview-cache.ts";
import { Overview } from "./schema.ts";

/** Pages ask again every second or two; with If-None-Match an overview that is the same costs a line (304). */
export function overviewRoutes(context: QueryContext): FastifyPluginAsyncTypebox {
  const cache = new OverviewCache(context);
  return async (app) => {
    app.get(
      "/api/query/overview",
      {
        schema: {
          summary: "All factories: machines by state, alarms, anomalies, freshness, lines, ledger",
          querystring: Type.Object({}, { additionalProperties: false }),
          response: { 200: Overview, 304: Type.Null(), ...failures },
        },
      },
      async (request, reply) => {
        const { overview, etag } = await cache.get();
        reply.headers({ etag, "cache-control": "private, no-cache" });
        if (request.headers["if-none-match"] === etag) return reply.code(304).send(null);
        return overview;
      },
    );
  };
}
