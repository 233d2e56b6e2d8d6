import { type FastifyPluginAsyncTypebox, Type } from "@fastify/type-provider-typebox";
import type { Logger } from "pino";
import type { AccessControl } from "../../services/access/access-control.ts";
import { Failure } from "../../services/http/failure.ts";
import { closed, Name, RoleSchema, TokenSchema } from "../schemas.ts";
import { authorOf } from "./accounts.ts";

const DAY_MS = 86_400_000;
const DAYS_MAX = 3_650;
const FACTORY_CHARACTERS_MAX = 512;

/** Tokens of programs; for administrators. */
export function tokenRoutes(access: AccessControl, logger: Logger, nowMs: () => number): FastifyPluginAsyncTypebox {
  const { tokens } = access;
  return async (app) => {
    app.addHook("onRequest", access.require("administrator"));
    app.get(
      "/api/tokens",
      { schema: { summary: "All tokens", response: { 200: Type.Object({ tokens: Type.Array(TokenSchema) }) } } },
      async () => ({ tokens: await tokens.list() }),
    );
    app.post(
      "/api/tokens",
      {
        schema: {
          summary: "Makes a token for a program",
          body: Type.Object(
            {
              name: Name,
              role: RoleSchema,
              factoryId: Type.Optional(
                Type.String({
                  minLength: 1,
                  maxLength: FACTORY_CHARACTERS_MAX,
                  pattern: "^[^\\u0000-\\u001f]*$",
                  description: "for this factory alone",
                }),
              ),
              days: Type.Optional(Type.Integer({ minimum: 1, maximum: DAYS_MAX, description: "good for so long" })),
            },
            closed,
          ),
          response: { 201: Type.Object({ token: Type.String({ description: "told once" }) }) },
        },
      },
      async (request, reply) => {
        const { name, role, factoryId, days } = request.body;
        const expiresMs = days === undefined ? undefined : nowMs() + days * DAY_MS;
        const token = await tokens.add({ name, role, factoryId, expiresMs }, authorOf(request));
        logger.info({ token: name, role, factoryId, by: authorOf(request) }, "token made");
        return reply.code(201).send({ token });
      },
    );
    app.delete(
      "/api/tokens/:name",
      { schema: { summary: "Revokes a token", params: Type.Object({ name: Type.String({ minLength: 1 }) }) } },
      async (request, reply) => {
        if (!(await tokens.remove(request.params.name)))
          throw new Failure(404, "TOKEN_UNKNOWN", "there is no token of this name");
        logger.info({ token: request.params.name, by: authorOf(request) }, "token revoked");
        return reply.code(204).send();
      },
    );
  };
}
