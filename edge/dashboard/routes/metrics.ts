import type { FastifyPluginAsyncTypebox } from "@fastify/type-provider-typebox";
import type { DashboardContext } from "../dashboard-context.ts";
import type { Metrics } from "../metrics/metrics.ts";

/** For a Prometheus that scrapes this box. */
export function metricsRoutes(context: DashboardContext): FastifyPluginAsyncTypebox {
  // Made at the first scrape: a box that nobody scrapes pays nothing for it.
  let metrics: Metrics | undefined;
  return async (app) => {
    app.get("/metrics", { schema: { produces: ["text/plain"] } }, async (_request, reply) => {
      if (!metrics) {
        const { Metrics } = await import("../metrics/metrics.ts");
        metrics ??= new Metrics(context);
      }
      return reply.type(metrics.contentType).send(await metrics.render());
    });
  };
}
