import swagger from "@fastify/swagger";
import type { FastifyInstance, FastifyPluginAsync } from "fastify";
import type { Logger } from "pino";
import type { Clock } from "../../edge/kernel/clock.ts";
import type { AccessControl } from "../services/access/access-control.ts";
import { addFailures } from "../services/http/failures.ts";
import { addRateLimit } from "../services/http/rate-limit.ts";
import { createServer } from "../services/http/server.ts";
import { addValidation } from "../services/http/validation.ts";
import { addPage } from "./plugins/page.ts";
import { addProxy } from "./plugins/proxy.ts";
import { addSecurity } from "./plugins/security.ts";
import { accountRoutes } from "./routes/accounts.ts";
import { oidcRoutes } from "./routes/oidc.ts";
import { sessionRoutes } from "./routes/session.ts";
import { tokenRoutes } from "./routes/tokens.ts";

const DOCUMENTATION = "/api/openapi.json";
const REQUESTS_PER_MINUTE_MAX = 300;

export interface OfficeOptions {
  readonly access: AccessControl;
  /** Each service is mounted here, or reached by its address when it is deployed apart. */
  readonly command?: FastifyPluginAsync;
  readonly query?: FastifyPluginAsync;
  /** POST /score, where a model is at hand. */
  readonly score?: FastifyPluginAsync;
  readonly proxy?: { readonly commandUrl?: string | undefined; readonly queryUrl?: string | undefined };
  /** Folder of the built page. */
  readonly webRoot: string;
  /** A proxy that speaks TLS stands before it. */
  readonly behindProxy?: boolean;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** The central office's server, ready to listen or inject: the page, who may use it, and the way to the services. */
export function createOffice(options: OfficeOptions): FastifyInstance {
  const { access, command, query, score, proxy, webRoot, behindProxy = false, clock, logger } = options;
  const app = createServer({ logger, behindProxy, documentation: DOCUMENTATION });
  addSecurity(app, behindProxy);
  addFailures(app, DOCUMENTATION);
  app.register(async (scope) => {
    addValidation(scope);
    await addRateLimit(scope, REQUESTS_PER_MINUTE_MAX);
    await addOpenapi(scope);
    scope.addHook("onSend", async (_request, reply) => {
      reply.header("cache-control", "no-store");
    });
    await scope.register(sessionRoutes(access, logger));
    if (access.oidc !== undefined) await scope.register(oidcRoutes(access, access.oidc, logger));
    await scope.register(accountRoutes(access, logger));
    await scope.register(tokenRoutes(access, logger, () => clock.nowMs()));
    scope.get("/api/health", { schema: { hide: true } }, async () => {
      await access.ping();
      return { status: "ok" };
    });
  });
  if (command !== undefined) app.register(command);
  else if (proxy?.commandUrl !== undefined) addProxy(app, "/api/command", proxy.commandUrl);
  if (query !== undefined) app.register(query);
  else if (proxy?.queryUrl !== undefined) addProxy(app, "/api/query", proxy.queryUrl);
  if (score !== undefined) app.register(score);
  addPage(app, webRoot, DOCUMENTATION);
  return app;
}

async function addOpenapi(app: FastifyInstance): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: "3.1.0",
      info: {
        title: "Tailstock central office",
        description:
          "Sessions, accounts and tokens. The services describe themselves at /api/command/openapi.json and /api/query/openapi.json.",
        version: "1",
      },
    },
  });
  app.get(DOCUMENTATION, { schema: { hide: true } }, () => app.swagger());
}
