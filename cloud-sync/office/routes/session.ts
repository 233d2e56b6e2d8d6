import { type FastifyPluginAsyncTypebox, Type } from "@fastify/type-provider-typebox";
import type { AccessControl } from "../../services/access/access-control.ts";
import { Failure } from "../../services/http/failure.ts";
import { closed, Name, Password, SessionSchema } from "../schemas.ts";

/** Logging in and out, and changing one's own password. */
export function sessionRoutes(access: AccessControl): FastifyPluginAsyncTypebox {
  const oidc = access.oidc !== undefined;
  return async (app) => {
    app.get(
      "/api/session",
      {
        schema: {
          summary: "Who is logged in, and the CSRF token; 401 says whether the company's login may be used",
          response: { 200: SessionSchema },
        },
      },
      async (request) => {
        const person = await access.personOf(request);
        if (person === undefined)
          throw new Failure(401, "LOGIN_NEEDED", "nobody is logged in here", { hint: "Log in.", details: { oidc } });
        return { person, csrf: (await access.sessions.csrfOf(request)) ?? "", oidc };
      },
    );
    app.post(
      "/api/session",
      {
        schema: {
          summary: "Logs in with an account of the office",
          body: Type.Object({ name: Name, password: Password }, closed),
          response: { 200: SessionSchema },
        },
      },
      async (request, reply) => {
        const { name, password } = request.body;
        const person = await access.login(name, password, request.ip);
        const csrf = await access.sessions.open(person, request, reply);
        request.log.info({ person: person.name, from: request.ip }, "logged in");
        return { person, csrf, oidc };
      },
    );
    app.delete(
      "/api/session",
      { schema: { summary: "Logs out" }, onRequest: access.require("viewer", { heedsFactory: true }) },
      async (request, reply) => {
        await access.sessions.close(request, reply);
        return reply.code(204).send();
      },
    );
    app.put(
      "/api/session/password",
      {
        schema: {
          summary: "Changes one's own password; other sessions of the account end",
          body: Type.Object({ current: Password, next: Password }, closed),
        },
        onRequest: access.require("viewer"),
      },
      async (request, reply) => {
        const { person } = request;
        if (person?.kind !== "local")
          throw new Failure(409, "NO_PASSWORD", "who asks has no password here", {
            hint: "It is changed where the company's accounts are kept.",
          });
        const { current, next } = request.body;
        await access.login(person.name, current, request.ip);
        await access.accounts.setPassword(person.id, next, person.name);
        await access.sessions.closeAllOf(person.id, request);
        return reply.code(204).send();
      },
    );
  };
}
