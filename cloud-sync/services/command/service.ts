import helmet from "@fastify/helmet";
import type { FastifyInstance } from "fastify";
import { addFailures, addNotFound } from "../http/failures.ts";
import { createServer } from "../http/server.ts";
import { COMMAND_DOCUMENTATION, type CommandContext, commandRoutes } from "./routes.ts";

export interface CommandServiceOptions extends CommandContext {
  /** A proxy, or the office's server, stands before it and says who asks. */
  readonly behindProxy?: boolean;
}

/** The command service as a server of its own, ready to listen or inject. The store stays the caller's. */
export function createCommandService(options: CommandServiceOptions): FastifyInstance {
  const { logger, behindProxy = false } = options;
  const app = createServer({ logger, behindProxy, documentation: COMMAND_DOCUMENTATION });
  addFailures(app, COMMAND_DOCUMENTATION);
  addNotFound(app, COMMAND_DOCUMENTATION);
  app.register(helmet, {
    contentSecurityPolicy: { useDefaults: false, directives: { defaultSrc: ["'none'"], frameAncestors: ["'none'"] } },
    referrerPolicy: { policy: "no-referrer" },
  });
  app.register(commandRoutes(options));
  app.get("/api/health", { schema: { hide: true } }, () => ({ status: "ok" }));
  return app;
}
