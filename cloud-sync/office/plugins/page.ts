import { existsSync } from "node:fs";
import { join } from "node:path";
import fastifyStatic from "@fastify/static";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { notFound } from "../../services/http/failures.ts";

const INDEX = "index.html";

/** Serves the built page, at every address that is its own; says how to build it when it is not there. */
export function addPage(app: FastifyInstance, webRoot: string, documentation: string): void {
  const isBuilt = existsSync(join(webRoot, INDEX));
  if (isBuilt)
    app.register(fastifyStatic, {
      root: webRoot,
      // Names under assets/ carry a hash of their content.
      setHeaders: (response, path) => {
        response.header("cache-control", path.includes("assets") ? "public, max-age=31536000, immutable" : "no-cache");
      },
    });
  app.setNotFoundHandler((request, reply) => {
    if (!isPageAddress(request)) return reply.code(404).send(notFound(request.url, documentation));
    if (isBuilt) return reply.sendFile(INDEX);
    return reply
      .code(503)
      .type("text/plain; charset=utf-8")
      .send("The office's page is not built. Run `npm start`, or `npx vite build cloud-sync/office/web`.\n");
  });
}

/** What a person may have typed or kept as a bookmark: not a program's address, not a file's name. */
function isPageAddress({ method, url }: FastifyRequest): boolean {
  const path = url.split("?", 1)[0] ?? "";
  return (method === "GET" || method === "HEAD") && !/^\/api(?:\/|$)/.test(path) && !/\.\w+$/.test(path);
}
