import { setTimeout as delay } from "node:timers/promises";
import Fastify, { type FastifyBaseLogger, type FastifyInstance, LogController } from "fastify";
import type { Logger } from "pino";
import type { Clock } from "../kernel/clock.ts";
import type { BoundsOptions } from "../log/keep/bounds.ts";
import { LogGauge } from "../log/log-gauge.ts";
import type { ExaminableLog } from "../log/reader.ts";
import type { DashboardContext } from "./dashboard-context.ts";
import { addFailures } from "./plugins/failures.ts";
import { addOpenapi } from "./plugins/openapi.ts";
import { addPage } from "./plugins/page.ts";
import { addSecurity } from "./plugins/security.ts";
import { follow } from "./projection/follow.ts";
import { LatestProjection } from "./projection/latest-projection.ts";
import { rebuild, searchPast } from "./projection/rebuild.ts";
import { connectionRoutes } from "./routes/connections.ts";
import { eventRoutes } from "./routes/events.ts";
import { healthRoutes } from "./routes/health.ts";
import { machineRoutes } from "./routes/machines.ts";
import { metricsRoutes } from "./routes/metrics.ts";
import { streamRoutes } from "./routes/stream.ts";
import { trendRoutes } from "./routes/trend.ts";
import { uplinkRoutes } from "./routes/uplink.ts";
import { StreamHub } from "./stream/stream-hub.ts";
import { type UplinkSource, UplinkWatch } from "./uplink/uplink-watch.ts";

const NO_UPLINK: UplinkSource = { isConfigured: () => false, status: () => undefined };

export interface DashboardOptions {
  readonly log: ExaminableLog;
  readonly site: string;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Of the log; `forwardedBy` names the uplink's cursor. The defaults when left out. */
  readonly bounds?: BoundsOptions;
  /** Left out on a box that can have no uplink. */
  readonly uplink?: UplinkSource;
  /** Folder of the built page. */
  readonly webRoot: string;
  /** A projection that could not go on; the component ends with it. */
  readonly onFailure?: (error: unknown) => void;
}

/**
 * The dashboard's server, ready to listen or inject. It reads the log and the uplink's word, so it may run in a process
 * of its own. The projection is rebuilt before the first answer and follows the log until `close`. The log stays the caller's.
 */
export function createDashboard(options: DashboardOptions): FastifyInstance {
  const { log, site, clock, logger, webRoot } = options;
  const app: FastifyInstance = Fastify({
    loggerInstance: quiet(logger),
    // One line a request would bury what matters; failures are logged by the error handler.
    logController: new LogController({ disableRequestLogging: true }),
    forceCloseConnections: true,
    bodyLimit: 4_096,
    routerOptions: { maxParamLength: 500 },
    ajv: { customOptions: { removeAdditional: false } },
  });
  const projection = new LatestProjection();
  const hub = new StreamHub({
    projection,
    clock,
    site,
    epoch: log.epoch,
    onDrop: (reason) => logger.warn({ reason }, "slow page dropped from the live stream"),
  });
  const gauge = new LogGauge(log, options.bounds ?? {}, clock);
  const uplink = new UplinkWatch(options.uplink ?? NO_UPLINK, gauge, clock);
  const context: DashboardContext = { log, site, clock, projection, hub, gauge, uplink };
  const ending = new AbortController();
  let following: Promise<void> = Promise.resolve();

  addSecurity(app);
  addFailures(app);
  app.register(async (scope) => {
    await addOpenapi(scope);
    for (const routes of [
      machineRoutes,
      trendRoutes,
      connectionRoutes,
      uplinkRoutes,
      healthRoutes,
      metricsRoutes,
      eventRoutes,
      streamRoutes,
    ]) {
      await scope.register(routes(context));
    }
  });
  app.register((scope) => addPage(scope, webRoot));
  app.addHook("onReady", async () => {
    await rebuild(log, projection, ending.signal);
    const publish = hub.publish.bind(hub);
    following = Promise.all([
      follow(log, projection, publish, ending.signal),
      searchPast(log, projection, publish, ending.signal),
      uplink.run((word) => hub.sayAll("uplink", word), ending.signal),
    ]).then(
      () => undefined,
      (error: unknown) => {
        if (!ending.signal.aborted) options.onFailure?.(error);
      },
    );
  });
  app.addHook("preClose", async () => {
    ending.abort();
    hub.close();
    await Promise.race([following, delay(500, undefined, { ref: false })]);
  });
  return app;
}

/** The component says where it listens; Fastify would say it once more. */
function quiet(logger: Logger): FastifyBaseLogger {
  return logger.child({}, { level: logger.isLevelEnabled("warn") ? "warn" : logger.level }) as FastifyBaseLogger;
}
