import swagger from "@fastify/swagger";
import type { FastifyInstance } from "fastify";

export async function addOpenapi(app: FastifyInstance): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: "3.1.0",
      info: {
        title: "Tailstock query service",
        description:
          "What all factories have sent, from read models: machines, telemetry entities, maintenance, metadata, ledger, trends, reports. " +
          "Times are UTC epoch milliseconds. Lists are read page by page by a cursor: give nextCursor as cursor.",
        version: "1",
      },
    },
  });
  app.get("/api/query/openapi.json", { schema: { hide: true } }, () => app.swagger());
}
