import type { FastifyError, FastifyInstance } from "fastify";

/** Every failure has one shape: a code, what happened, what to do. */
export function addFailures(app: FastifyInstance): void {
  app.setErrorHandler((error: FastifyError, request, reply) => {
    const status = error.statusCode ?? 500;
    if (status >= 500) request.log.error({ err: error, url: request.url }, "request failed");
    return reply.code(status).send({
      error: {
        code: error.validation ? "REQUEST_INVALID" : (error.code ?? "FAILED"),
        message: status >= 500 && !error.validation ? "the dashboard could not answer this" : error.message,
        hint: error.validation ? "See /api/openapi.json for what this address accepts." : null,
      },
    });
  });
  app.setNotFoundHandler((request, reply) =>
    reply.code(404).send({
      error: { code: "NOT_FOUND", message: `nothing at ${request.url.slice(0, 200)}`, hint: "The page is at /." },
    }),
  );
}
