import type { Logger } from "pino";
import type { ConfigData, NewEvent } from "../../cloud-sync/contract/event.ts";
import { edgeStreamOf } from "../../cloud-sync/contract/event.ts";
import { Recorder } from "../drivers/recorder.ts";
import { type Clock, systemClock } from "../kernel/clock.ts";
import type { ConfigChange } from "../kernel/config/diff.ts";
import { type LoadedConfig, loadConfig } from "../kernel/config/load.ts";
import type { Config } from "../kernel/config/model.ts";
import { formatProblem } from "../kernel/config/problem.ts";
import { watchConfig } from "../kernel/config/watch.ts";
import { messageOf } from "../kernel/errors.ts";
import { Supervisor } from "../kernel/supervisor.ts";
import type { EventLog, LogReader } from "../log/event-log.ts";
import { openFollowingReader } from "../log/following-reader.ts";
import { openHealingLog } from "../log/healing-log.ts";
import { LogKeeper } from "../log/keep/keeper.ts";
import { machineConfigEvents } from "./config-events.ts";
import { Connections } from "./connections.ts";

/** What runs in this process; the log is the only thing that the parts share, so each may be a process of its own. */
export type Part = "collector" | "dashboard";

export interface EdgeOptions {
  readonly configPath: string;
  readonly logger: Logger;
  readonly parts: readonly Part[];
  readonly clock?: Clock;
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
  const isCollector = parts.includes("collector");
  const log = isCollector
    ? await openHealingLog({ ...config.log, clock, logger, ownStream: edgeStreamOf(config.site) })
    : await waitForLog(config.log.path, clock, logger, signal);
  if (!log) return;
  try {
    const supervisor = new Supervisor({ clock, logger });
    const recorder = isCollector
      ? await startCollector(log as EventLog, loaded, { clock, logger, supervisor })
      : undefined;
    const open =
      parts.includes("dashboard") && config.dashboard.enabled
        ? startDashboard(log, config, { clock, logger, supervisor })
        : Promise.resolve(undefined);
    const running = supervisor.run(signal);
    await Promise.race([open.then((dashboardUrl) => options.onReady?.({ config, dashboardUrl })), running]);
    await running;
    // What drivers still delivered while they ended.
    await recorder?.flush();
  } finally {
    log.close();
  }
}

/** Resolves with the dashboard's address as soon as it listens. */
async function startDashboard(
  log: LogReader,
  config: Config,
  { clock, logger, supervisor }: PartDeps,
): Promise<string | undefined> {
  const { DashboardComponent, WEB_ROOT } = await import("../dashboard/component.ts");
  const { host, port } = config.dashboard;
  const dashboard = new DashboardComponent({ log, site: config.site, host, port, clock, logger, webRoot: WEB_ROOT });
  return new Promise((resolve) => {
    supervisor.supervise(
      {
        name: dashboard.name,
        run: (signal, ready) =>
          dashboard.run(signal, () => {
            ready();
            resolve(dashboard.address);
          }),
      },
      { essential: true },
    );
  });
}

interface PartDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly supervisor: Supervisor;
}

async function startCollector(
  log: EventLog,
  loaded: LoadedConfig,
  { clock, logger, supervisor }: PartDeps,
): Promise<Recorder> {
  const { config } = loaded;
  const edgeStream = edgeStreamOf(config.site);
  const recorder = new Recorder({ log, clock, logger, tickMs: config.log.commitIntervalMs });
  const publish = (event: NewEvent): void => recorder.publish(event);
  const publishConfig = (data: ConfigData): void =>
    publish({ type: "config", machineId: edgeStream, timeMs: clock.nowMs(), data });
  const connections = new Connections({
    clock,
    logger,
    accept: (samples) => recorder.accept(samples),
    publish,
    supervise: (component) => supervisor.supervise(component),
  });
  await log.append(machineConfigEvents(config, log, clock.nowMs()), "now");
  supervisor.supervise(recorder, { essential: true });
  supervisor.supervise(new LogKeeper({ log, clock, logger }));
  await connections.start(config);

  const apply = async (next: LoadedConfig, changes: readonly ConfigChange[]): Promise<void> => {
    const sentences = changes.map(({ sentence }) => sentence);
    logger.info({ path: next.path, changes: sentences }, "configuration applied");
    await log.append(machineConfigEvents(next.config, log, clock.nowMs()), "now");
    publishConfig({ kind: "applied", path: next.path, sha256: next.sha256, problems: [], changes: sentences });
    await connections.change(next.config, changes);
  };
  let current = loaded;
  supervisor.supervise({
    name: "config watch",
    run: async (signal, ready) => {
      ready();
      await watchConfig(
        loaded.path,
        {
          clock,
          initial: current,
          onConfig: async (next, changes) => {
            await apply(next, changes);
            current = next;
          },
          onRefused: (problems, sha256) => {
            const sentences = problems.map(formatProblem);
            logger.error(
              { path: loaded.path, problems: sentences },
              "changed configuration refused; the one before stays in force",
            );
            publishConfig({ kind: "refused", path: loaded.path, sha256, problems: sentences, changes: [] });
          },
        },
        signal,
      );
    },
  });
  return recorder;
}

/** A dashboard may be started before the collector has made the log: it waits, and says so once. */
async function waitForLog(
  path: string,
  clock: Clock,
  logger: Logger,
  signal: AbortSignal,
): Promise<LogReader | undefined> {
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
