import { type FastifyPluginAsyncTypebox, Type } from "@fastify/type-provider-typebox";
import type { FastifyRequest } from "fastify";
import type { Logger } from "pino";
import type { AccessControl } from "../../services/access/access-control.ts";
import { newPassword } from "../../services/access/passwords.ts";
import { AccountSchema, closed, Name, Password, RoleSchema } from "../schemas.ts";

const Params = Type.Object({ id: Type.String({ minLength: 1 }) });

/** Who may use the office; for administrators. */
export function accountRoutes(access: AccessControl, logger: Logger): FastifyPluginAsyncTypebox {
  const { accounts, sessions } = access;
  return async (app) => {
    app.addHook("onRequest", access.require("administrator"));
    app.get(
      "/api/accounts",
      { schema: { summary: "All accounts", response: { 200: Type.Object({ accounts: Type.Array(AccountSchema) }) } } },
      async () => ({ accounts: await accounts.list() }),
    );
    app.post(
      "/api/accounts",
      {
        schema: {
          summary: "Makes an account, and a password when none is given",
          body: Type.Object(
            {
              name: Name,
              role: RoleSchema,
              password: Type.Optional(Password),
            },
            closed,
          ),
          response: {
            201: Type.Object({
              account: AccountSchema,
              password: Type.Union([Type.String(), Type.Null()], { description: "the one that was made; told once" }),
            }),
          },
        },
      },
      async (request, reply) => {
        const { name, role, password } = request.body;
        const made = password === undefined ? newPassword() : null;
        const account = await accounts.add({ name, role, password: password ?? made ?? "" }, authorOf(request));
        logger.info({ account: account.name, role, by: authorOf(request) }, "account made");
        return reply.code(201).send({ account, password: made });
      },
    );
    app.patch(
      "/api/accounts/:id",
      {
        schema: {
          summary:
            "Changes role or password, or shuts an account out; its sessions end with its password or when it is shut out",
          params: Params,
          body: Type.Object(
            {
              role: Type.Optional(RoleSchema),
              disabled: Type.Optional(Type.Boolean()),
              password: Type.Optional(Password),
            },
            closed,
          ),
          response: { 200: AccountSchema },
        },
      },
      async (request) => {
        const { id } = request.params;
        const { role, disabled, password } = request.body;
        if (password !== undefined) await accounts.setPassword(id, password, authorOf(request));
        const change = { ...(role && { role }), ...(disabled !== undefined && { disabled }) };
        const account = await accounts.change(id, change, authorOf(request));
        if (password !== undefined || disabled === true) await sessions.closeAllOf(id);
        logger.info({ account: account.name, ...change, by: authorOf(request) }, "account changed");
        return account;
      },
    );
    app.delete(
      "/api/accounts/:id",
      { schema: { summary: "Deletes an account; events keep its name", params: Params } },
      async (request, reply) => {
        const { id } = request.params;
        await accounts.remove(id);
        await sessions.closeAllOf(id);
        logger.info({ account: id, by: authorOf(request) }, "account deleted");
        return reply.code(204).send();
      },
    );
  };
}

export function authorOf({ person }: FastifyRequest): string {
  return person?.name ?? "";
}
