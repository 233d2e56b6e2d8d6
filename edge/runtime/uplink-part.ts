import { CURSOR_BY_LANE } from "../../cloud-sync/uplink/ports.ts";
import type { Component } from "../kernel/component.ts";
import type { ConfigChange } from "../kernel/config/diff.ts";
import type { LoadedConfig } from "../kernel/config/load.ts";
import type { Config, UplinkConfig } from "../kernel/config/model.ts";
import { EdgeError } from "../kernel/errors.ts";
import type { SupervisedHandle } from "../kernel/supervisor.ts";
import { tailstockVersion } from "../kernel/version.ts";
import type { EventLog } from "../log/event-log.ts";
import { LogGauge } from "../log/log-gauge.ts";
import type { ExaminableLog } from "../log/reader.ts";
import type { ConfigUser } from "./config-in-force.ts";
import type { Environment, PartDeps } from "./part.ts";

type UplinkLog = EventLog & ExaminableLog;

/** The uplink of the configuration in force, if it has one; another configuration ends it and begins it anew. */
export class UplinkPart implements ConfigUser {
  readonly #ownLog: UplinkLog | undefined;
  readonly #environment: Environment;
  readonly #deps: PartDeps;
  #running: SupervisedHandle | undefined;

  /** @param ownLog of a collector in this process; without one the log's file is opened beside the collector's */
  constructor(ownLog: UplinkLog | undefined, environment: Environment, deps: PartDeps) {
    this.#ownLog = ownLog;
    this.#environment = environment;
    this.#deps = deps;
  }

  start(): void {
    this.#begin(this.#deps.inForce.config);
    this.#deps.inForce.add(this);
  }

  async apply({ config }: LoadedConfig, changes: readonly ConfigChange[]): Promise<void> {
    if (!changes.some(({ kind }) => kind === "uplink")) return;
    await this.#running?.stop();
    this.#running = undefined;
    this.#begin(config);
  }

  #begin(config: Config): void {
    const { supervisor, logger } = this.#deps;
    const { uplink } = config;
    if (uplink !== undefined) this.#running = supervisor.supervise(this.#component(config, uplink));
    else if (this.#ownLog === undefined) logger.info("no uplink is configured: waiting until one is");
  }

  #component(config: Config, uplink: UplinkConfig): Component {
    return {
      name: "uplink",
      run: async (signal, ready) => {
        if (this.#ownLog) return this.#forward(this.#ownLog, config, uplink, signal, ready);
        const { openFollowingLog } = await import("../log/following-log.ts");
        const log = openFollowingLog({ path: config.log.path, clock: this.#deps.clock });
        try {
          await this.#forward(log, config, uplink, signal, ready);
        } finally {
          log.close();
        }
      },
    };
  }

  async #forward(
    log: UplinkLog,
    config: Config,
    uplink: UplinkConfig,
    signal: AbortSignal,
    ready: () => void,
  ): Promise<void> {
    const { clock, logger, inForce } = this.#deps;
    // The hub's SDK is large: it is loaded where there is an uplink.
    const [{ Uplink }, { HubDesk }, { openUplinkState }, { uplinkStatePathOf }, { createConnector }] =
      await Promise.all([
        import("../../cloud-sync/uplink/uplink.ts"),
        import("../../cloud-sync/uplink/hub-desk.ts"),
        import("../../cloud-sync/uplink/state/uplink-state.ts"),
        import("../../cloud-sync/uplink/state/schema.ts"),
        import("../../cloud-sync/uplink/link/connector.ts"),
      ]);
    using state = openUplinkState(uplinkStatePathOf(config.log.path), logger);
    const { site } = config;
    const gauge = new LogGauge(log, { ...config.log, forwardedBy: CURSOR_BY_LANE.telemetry }, clock);
    const desk = new HubDesk({
      uplink,
      site,
      configPath: inForce.loaded.path,
      pkiPath: config.opcua.pkiPath,
      version: tailstockVersion(),
      log,
      timeToFullMs: () => roomOf(gauge),
      clock,
      logger,
    });
    const connector = createConnector(uplink, { requests: desk, clock, logger, environment: this.#environment });
    const engine = new Uplink({ log, state, connector, config: uplink, site, clock, logger });
    await together(signal, [(life) => desk.run(engine, life), (life) => engine.run(life, ready)]);
  }
}

/** Runs all until the signal aborts or one fails, which ends the others; the state they share may go when it settles. */
async function together(signal: AbortSignal, works: readonly ((life: AbortSignal) => Promise<void>)[]): Promise<void> {
  const ending = new AbortController();
  const life = AbortSignal.any([signal, ending.signal]);
  const settled = await Promise.allSettled(
    works.map(async (work) => {
      try {
        await work(life);
      } finally {
        ending.abort();
      }
    }),
  );
  for (const result of settled) if (result.status === "rejected") throw result.reason;
}

function roomOf(gauge: LogGauge): number | null {
  try {
    return gauge.roomMs();
  } catch (error) {
    // The log can't be looked at just now: nobody knows.
    if (error instanceof EdgeError) return null;
    throw error;
  }
}
