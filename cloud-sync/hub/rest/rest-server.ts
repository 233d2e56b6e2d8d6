import type { Server, ServerOptions } from "node:https";
import Fastify, { type FastifyBaseLogger, type FastifyInstance, LogController } from "fastify";
import type { Logger } from "pino";
import { addAuthorization } from "./plugins/authorization.ts";
import { addFailures } from "./plugins/failures.ts";
import type { RestContext } from "./rest-context.ts";
import { bulkRoutes } from "./routes/bulk.ts";
import { configurationRoutes } from "./routes/configurations.ts";
import { deviceEventRoutes } from "./routes/device-events.ts";
import { deviceRoutes } from "./routes/devices.ts";
import { jobRoutes } from "./routes/jobs.ts";
import { methodRoutes } from "./routes/methods.ts";
import { queryRoutes } from "./routes/queries.ts";
import { statisticsRoutes } from "./routes/statistics.ts";
import { twinRoutes } from "./routes/twins.ts";

/** A request must be here whole by then; its answer may take longer. */
const REQUEST_MS_MAX = 30_000;
/** A hundred identities with their twins. */
const BODY_BYTES_MAX = 4 * 2 ** 20;

/**
 * IoT Hub's REST API for services, as version 2021-04-12 of it has it; other versions are taken as that one. Ready to
 * listen or inject.
 */
export function createRest(context: RestContext, https: ServerOptions): FastifyInstance<Server> {
  const app = Fastify({
    https,
    loggerInstance: quiet(context.hub.logger),
    logController: new LogController({ disableRequestLogging: true }),
    forceCloseConnections: true,
    requestTimeout: REQUEST_MS_MAX,
    bodyLimit: BODY_BYTES_MAX,
    routerOptions: { maxParamLength: 500, ignoreTrailingSlash: true },
    // What a service writes is stored as it is: no text becomes a number, nothing falls away.
    ajv: { customOptions: { coerceTypes: false, removeAdditional: false } },
  });
  takeJson(app as unknown as FastifyInstance);
  addFailures(app as unknown as FastifyInstance);
  addAuthorization(app as unknown as FastifyInstance, context.hub);
  app.register(async (scope) => {
    for (const routes of [
      deviceRoutes,
      bulkRoutes,
      queryRoutes,
      twinRoutes,
      methodRoutes,
      statisticsRoutes,
      configurationRoutes,
      jobRoutes,
      deviceEventRoutes,
    ]) {
      await scope.register(routes(context));
    }
  });
  return app as unknown as FastifyInstance<Server>;
}

/** Some clients name a content type also when they send nothing, some another one than JSON's: curl does by itself. */
function takeJson(app: FastifyInstance): void {
  const parse = app.getDefaultJsonParser("error", "error");
  app.removeAllContentTypeParsers();
  app.addContentTypeParser<string>("*", { parseAs: "string" }, (request, body, done) => {
    if (body === "") done(null, undefined);
    else parse(request, body, done);
  });
}

/** The process says where it listens; Fastify would say it once more. */
function quiet(logger: Logger): FastifyBaseLogger {
  return logger.child({}, { level: logger.isLevelEnabled("warn") ? "warn" : logger.level }) as FastifyBaseLogger;
}
