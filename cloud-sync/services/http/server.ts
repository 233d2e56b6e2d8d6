import Fastify, { type FastifyBaseLogger, type FastifyInstance, type FastifyReply, LogController } from "fastify";
import type { Logger } from "pino";
import { failureBody } from "./failure.ts";
import { failureOf } from "./failures.ts";

/** Requests hold no more than an entity of metadata. */
export const BODY_BYTES_MAX = 64 * 1_024;
/** A machine's id in an address: 512 characters, of which each may take twelve when it is percent-encoded. */
const PARAM_CHARACTERS_MAX = 6_144;
/** A request that is not whole by then is given up. */
const REQUEST_MS_MAX = 30_000;

export interface ServerOptions {
  readonly logger: Logger;
  /** Where addresses are described, for refusals. */
  readonly documentation: string;
  /** A proxy on this computer or in its private network says who asks, and that they came by https. */
  readonly behindProxy: boolean;
}

/** A server as all services of the office have it: nothing is read but JSON, and every failure has one shape. */
export function createServer({ logger, documentation, behindProxy }: ServerOptions): FastifyInstance {
  const app: FastifyInstance = Fastify({
    loggerInstance: quiet(logger),
    // One line a request would bury what matters; failures are logged by the error handler.
    logController: new LogController({ disableRequestLogging: true }),
    forceCloseConnections: true,
    bodyLimit: BODY_BYTES_MAX,
    requestTimeout: REQUEST_MS_MAX,
    routerOptions: { maxParamLength: PARAM_CHARACTERS_MAX },
    trustProxy: behindProxy ? ["loopback", "linklocal", "uniquelocal"] : false,
    frameworkErrors: (error, _request, reply) => {
      const failure = failureOf(error, documentation);
      (reply as FastifyReply).code(failure.statusCode).send(failureBody(failure));
    },
  });
  // A form of another site can send plain text; nothing here takes it.
  app.removeContentTypeParser("text/plain");
  return app;
}

/** Whoever listens says where; Fastify would say it once more. */
function quiet(logger: Logger): FastifyBaseLogger {
  return logger.child({}, { level: logger.isLevelEnabled("warn") ? "warn" : logger.level }) as FastifyBaseLogger;
}
