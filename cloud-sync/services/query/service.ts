import helmet from "@fastify/helmet";
import type { FastifyInstance, FastifyPluginAsync } from "fastify";
import type { Logger } from "pino";
import type { Clock } from "../../../edge/kernel/clock.ts";
import type { Database } from "../../database/database.ts";
import type { EventStore } from "../../store/event-store.ts";
import type { Access } from "../access/access.ts";
import { addNotFound } from "../http/failures.ts";
import { addRateLimit } from "../http/rate-limit.ts";
import { createServer } from "../http/server.ts";
import { changesRoutes } from "./changes/routes.ts";
import { entityRoutes } from "./entities/routes.ts";
import { ledgerRoutes } from "./ledger/routes.ts";
import { machineRoutes } from "./machines/routes.ts";
import { maintenanceRoutes } from "./maintenance/routes.ts";
import { metadataRoutes } from "./metadata/routes.ts";
import { overviewRoutes } from "./overview/routes.ts";
import { addQueryFailures, QUERY_DOCUMENTATION } from "./plugins/failures.ts";
import { addOpenapi } from "./plugins/openapi.ts";
import { addQueryValidation } from "./plugins/validation.ts";
import type { QueryContext } from "./query-context.ts";
import { openReads } from "./reads.ts";
import { reportRoutes } from "./reports/routes.ts";
import { trendRoutes } from "./trends/routes.ts";

export interface QueryOptions {
  /** Whose address is read from, over connections of the service's own. */
  readonly database: Pick<Database, "url">;
  /** Of whose changes factories may ask; all else stands in the read models. */
  readonly store?: EventStore;
  readonly access: Access;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Of one address, behind which a whole office may sit: a page asks about once a second. */
const REQUESTS_PER_MINUTE_MAX = 3_000;

/** All reads of the office, below /api/query, for whoever may look. To be registered in any Fastify server. */
export function queryRoutes({ database, store, access, clock }: QueryOptions): FastifyPluginAsync {
  return async (scope) => {
    const sql = openReads(database.url);
    scope.addHook("onClose", () => sql[Symbol.asyncDispose]());
    await addRateLimit(scope, REQUESTS_PER_MINUTE_MAX);
    await addOpenapi(scope);
    if (store !== undefined) await scope.register(changesRoutes({ store, access }));
    addQueryFailures(scope);
    addQueryValidation(scope);
    const context: QueryContext = { sql, clock };
    await scope.register(async (guarded) => {
      // Who is not known learns nothing, not even what a question has to look like.
      guarded.addHook("preValidation", access.require("viewer"));
      for (const routes of [
        overviewRoutes,
        machineRoutes,
        entityRoutes,
        maintenanceRoutes,
        metadataRoutes,
        ledgerRoutes,
        trendRoutes,
        reportRoutes,
      ])
        await guarded.register(routes(context));
    });
  };
}

export interface QueryServiceOptions extends QueryOptions {
  /** A proxy, or the office's server, stands before it and says who asks. */
  readonly behindProxy?: boolean;
}

/** The query service as a server of its own, ready to listen or inject. */
export function createQueryService(options: QueryServiceOptions): FastifyInstance {
  const { logger, behindProxy = false } = options;
  const app = createServer({ logger, behindProxy, documentation: QUERY_DOCUMENTATION });
  addQueryFailures(app);
  addNotFound(app, QUERY_DOCUMENTATION);
  app.register(helmet, {
    contentSecurityPolicy: { useDefaults: false, directives: { defaultSrc: ["'none'"], frameAncestors: ["'none'"] } },
    referrerPolicy: { policy: "no-referrer" },
  });
  app.register(queryRoutes(options));
  app.get("/api/health", { schema: { hide: true } }, () => ({ status: "ok" }));
  return app;
}
