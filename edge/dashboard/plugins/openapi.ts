import swagger from "@fastify/swagger";
import type { FastifyInstance } from "fastify";

export async function addOpenapi(app: FastifyInstance): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: "3.1.0",
      info: {
        title: "Tailstock dashboard",
        description: "Live and recent readings of this box's machines. Times are UTC epoch milliseconds.",
        version: "1",
      },
    },
  });
  app.get("/api/openapi.json", { schema: { hide: true } }, () => app.swagger());
}
