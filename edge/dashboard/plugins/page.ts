import { existsSync } from "node:fs";
import { join } from "node:path";
import fastifyStatic from "@fastify/static";
import type { FastifyInstance } from "fastify";

/** Serves the built page; says how to build it when it is not there. */
export async function addPage(app: FastifyInstance, webRoot: string): Promise<void> {
  if (!existsSync(join(webRoot, "index.html"))) {
    app.get("/", { schema: { hide: true } }, (_request, reply) =>
      reply
        .code(503)
        .type("text/plain; charset=utf-8")
        .send("The dashboard's page is not built. Run `npm start`, or `npx vite build edge/dashboard/web`.\n"),
    );
    return;
  }
  await app.register(fastifyStatic, {
    root: webRoot,
    // Names under assets/ carry a hash of their content.
    setHeaders: (response, path) => {
      response.header("cache-control", path.includes("assets") ? "public, max-age=31536000, immutable" : "no-cache");
    },
  });
}
