import { type FastifyPluginAsyncTypebox, Type } from "@fastify/type-provider-typebox";
import { parseQuery } from "../../query/parser.ts";
import { runQuery } from "../../query/run-query.ts";
import { pageSizeOf, textHeader } from "../paging.ts";
import type { RestContext } from "../rest-context.ts";

/** Queries over twins and jobs, a page an answer. */
export function queryRoutes({ services }: RestContext): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.post(
      "/devices/query",
      {
        schema: { body: Type.Object({ query: Type.String() }) },
        config: { access: { right: "ServiceConnect" } },
      },
      async (request, reply) => {
        const query = parseQuery(request.body.query);
        const source = services.documents.of(query.source);
        const page = await runQuery(query, source, pageSizeOf(request), textHeader(request, "x-ms-continuation"));
        const whole = query.source === "devices.jobs" ? "deviceJob" : "twin";
        reply.header("x-ms-item-type", query.fields === undefined ? whole : "raw");
        if (page.continuation !== undefined) reply.header("x-ms-continuation", page.continuation);
        return reply.send(page.items);
      },
    );
  };
}
