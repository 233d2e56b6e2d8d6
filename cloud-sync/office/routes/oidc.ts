import type { FastifyError, FastifyPluginAsync, FastifyReply } from "fastify";
import type { Logger } from "pino";
import type { AccessControl } from "../../services/access/access-control.ts";
import { CALLBACK_PATH, type Oidc } from "../../services/access/oidc/oidc.ts";
import { failureOf } from "../../services/http/failures.ts";

/** The way to the company's login and back. Browsers go it, not programs: what goes wrong is a page with a sentence. */
export function oidcRoutes(access: AccessControl, oidc: Oidc, logger: Logger): FastifyPluginAsync {
  return async (app) => {
    app.setErrorHandler((error: FastifyError, request, reply) => {
      const failure = failureOf(error, "/api/openapi.json");
      if (failure.statusCode >= 500) request.log.error({ err: error }, "login by the identity provider failed");
      return sayNo(reply, failure.statusCode, failure.message, failure.hint);
    });
    app.get("/api/session/oidc", { schema: { summary: "To the company's login" } }, async (request, reply) =>
      reply.redirect((await oidc.begin(request, reply)).href, 302),
    );
    app.get(CALLBACK_PATH, { schema: { hide: true } }, async (request, reply) => {
      const person = await oidc.finish(request, reply);
      await access.sessions.open(person, request, reply);
      logger.info({ person: person.name, from: request.ip }, "logged in by the identity provider");
      return reply.redirect("/", 303);
    });
  };
}

function sayNo(reply: FastifyReply, status: number, message: string, hint: string | null): FastifyReply {
  const lines = [`${message}.`, ...(hint === null ? [] : [hint])];
  return reply
    .code(status)
    .type("text/html; charset=utf-8")
    .send(
      `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Not logged in</title><h1>Not logged in</h1>${lines
        .map((line) => `<p>${escaped(line)}</p>`)
        .join("")}<p><a href="/">Back to the office</a></p></html>`,
    );
}

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
