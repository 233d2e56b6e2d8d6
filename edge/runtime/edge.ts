import type { Logger } from "pino";
import { edgeStreamOf } from "../../cloud-sync/contract/event.ts";
import { CURSOR_BY_LANE } from "../../cloud-sync/uplink/ports.ts";
import { type Clock, systemClock } from "../kernel/clock.ts";
import { loadConfig } from "../kernel/config/load.ts";
import type { Config } from "../kernel/config/model.ts";
import { formatProblem } from "../kernel/config/problem.ts";
import { messageOf } from "../kernel/errors.ts";
import { Supervisor } from "../kernel/supervisor.ts";
import type { EventLog } from "../log/event-log.ts";
import { openFollowingReader } from "../log/following-reader.ts";
import { openHealingLog } from "../log/healing-log.ts";
import type { ExaminableLog } from "../log/reader.ts";
import { startCollector } from "./collector.ts";
import { ConfigInForce } from "./config-in-force.ts";
import type { Environment, Part, PartDeps } from "./part.ts";

export interface EdgeOptions {
  readonly configPath: string;
  readonly logger: Logger;
  readonly parts: readonly Part[];
  readonly clock?: Clock;
  /** Variables of the IoT Edge runtime, for an uplink with `identity: iot-edge`. */
  readonly environment?: Environment;
  /** Called once, when all parts run. `dashboardUrl` is undefined without a dashboard. */
  readonly onReady?: (ready: { config: Config; dashboardUrl: string | undefined }) => void;
}

const LOG_WAIT_MS = 500;

/**
 * Runs the edge until the signal aborts, then ends everything within the supervisor's deadline.
 * @throws EdgeError CONFIG_INVALID, CONFIG_UNREADABLE, LOG_VERSION, PORT_IN_USE, SHUTDOWN_DEADLINE
 */
export async function runEdge(options: EdgeOptions, signal: AbortSignal): Promise<void> {
  const clock = options.clock ?? systemClock;
  const { logger, parts } = options;
  const loaded = await loadConfig(options.configPath);
  for (const warning of loaded.warnings) logger.warn({ warning: formatProblem(warning) }, "configuration warning");
  const { config } = loaded;
  // Whether there is an uplink or not: what an uplink of before has brought to the cloud may go first.
  const bounds = { ...config.log, forwardedBy: CURSOR_BY_LANE.telemetry };
  const ownLog = parts.includes("collector")
    ? await openHealingLog({ ...bounds, clock, logger, ownStream: edgeStreamOf(config.site) })
    : undefined;
  const log = ownLog ?? (await waitForLog(config.log.path, clock, logger, signal));
  if (!log) return;
  try {
    const supervisor = new Supervisor({ clock, logger });
    const inForce = new ConfigInForce(loaded, { clock, logger });
    const deps: PartDeps = { clock, logger, supervisor, inForce };
    const recorder = ownLog && (await startCollector(ownLog, loaded, deps));
    if (parts.includes("uplink")) await startUplink(ownLog, options.environment ?? {}, deps);
    const open =
      parts.includes("dashboard") && config.dashboard.enabled
        ? startDashboard(log, bounds, deps)
        : Promise.resolve(undefined);
    supervisor.supervise(inForce.component());
    const running = supervisor.run(signal);
    await Promise.race([open.then((dashboardUrl) => options.onReady?.({ config, dashboardUrl })), running]);
    await running;
    // What drivers still delivered while they ended.
    await recorder?.flush();
  } finally {
    log.close();
  }
}

// A part is loaded when it runs here: each costs memory that a process without it should keep.

async function startUplink(
  ownLog: (EventLog & ExaminableLog) | undefined,
  environment: Environment,
  deps: PartDeps,
): Promise<void> {
  const { UplinkPart } = await import("./uplink-part.ts");
  new UplinkPart(ownLog, environment, deps).start();
}

/** Resolves with the dashboard's address as soon as it listens. */
async function startDashboard(
  log: ExaminableLog,
  bounds: {
    readonly path: string;
    readonly quotaBytes: number;
    readonly maxAgeMs: number;
    readonly forwardedBy: string;
  },
  { clock, logger, supervisor, inForce }: PartDeps,
): Promise<string | undefined> {
  const { DashboardComponent, WEB_ROOT } = await import("../dashboard/component.ts");
  const { UplinkFile } = await import("../dashboard/uplink/uplink-file.ts");
  const { site, dashboard } = inForce.config;
  const { host, port } = dashboard;
  const uplink = new UplinkFile(bounds.path, () => inForce.config.uplink !== undefined);
  const component = new DashboardComponent({ log, site, host, port, clock, logger, bounds, uplink, webRoot: WEB_ROOT });
  return new Promise((resolve) => {
    supervisor.supervise(
      {
        name: component.name,
        run: (signal, ready) =>
          component.run(signal, () => {
            ready();
            resolve(component.address);
          }),
      },
      { essential: true },
    );
  });
}

/** A part may be started before the collector has made the log: it waits, and says so once. */
async function waitForLog(
  path: string,
  clock: Clock,
  logger: Logger,
  signal: AbortSignal,
): Promise<ExaminableLog | undefined> {
  for (let said = false; !signal.aborted; said = true) {
    try {
      return openFollowingReader(path);
    } catch (error) {
      if (!(error instanceof Error && "retry" in error && error.retry === "backoff")) throw error;
      if (!said) logger.warn({ path, reason: messageOf(error) }, "waiting for the collector to make the log");
      await clock.sleep(LOG_WAIT_MS, signal);
    }
  }
  return undefined;
}
