import type { HubRequests } from "../../cloud-sync/uplink/ports.ts";
import type { Component } from "../kernel/component.ts";
import type { ConfigChange } from "../kernel/config/diff.ts";
import type { LoadedConfig } from "../kernel/config/load.ts";
import type { Config, UplinkConfig } from "../kernel/config/model.ts";
import type { SupervisedHandle } from "../kernel/supervisor.ts";
import type { EventLog } from "../log/event-log.ts";
import type { ConfigUser } from "./config-in-force.ts";
import type { Environment, PartDeps } from "./part.ts";

/** The uplink of the configuration in force, if it has one; another configuration ends it and begins it anew. */
export class UplinkPart implements ConfigUser {
  readonly #ownLog: EventLog | undefined;
  readonly #environment: Environment;
  readonly #deps: PartDeps;
  #running: SupervisedHandle | undefined;

  /** @param ownLog of a collector in this process; without one the log's file is opened beside the collector's */
  constructor(ownLog: EventLog | undefined, environment: Environment, deps: PartDeps) {
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

  #begin({ site, log, uplink }: Config): void {
    const { supervisor, logger } = this.#deps;
    if (uplink === undefined) {
      if (this.#ownLog === undefined) logger.info("no uplink is configured: waiting until one is");
      return;
    }
    this.#running = supervisor.supervise(this.#component(uplink, site, log.path));
  }

  #component(uplink: UplinkConfig, site: string, logPath: string): Component {
    return {
      name: "uplink",
      run: async (signal, ready) => {
        if (this.#ownLog) return this.#forward(this.#ownLog, { uplink, site, logPath }, signal, ready);
        const { openFollowingLog } = await import("../log/following-log.ts");
        const log = openFollowingLog({ path: logPath, clock: this.#deps.clock });
        try {
          await this.#forward(log, { uplink, site, logPath }, signal, ready);
        } finally {
          log.close();
        }
      },
    };
  }

  async #forward(
    log: EventLog,
    { uplink, site, logPath }: { readonly uplink: UplinkConfig; readonly site: string; readonly logPath: string },
    signal: AbortSignal,
    ready: () => void,
  ): Promise<void> {
    const { clock, logger } = this.#deps;
    // The SDK of the hub is large: it is loaded where there is an uplink.
    const [{ Uplink }, { openUplinkState }, { uplinkStatePathOf }, { createConnector }] = await Promise.all([
      import("../../cloud-sync/uplink/uplink.ts"),
      import("../../cloud-sync/uplink/state/uplink-state.ts"),
      import("../../cloud-sync/uplink/state/schema.ts"),
      import("../../cloud-sync/uplink/link/connector.ts"),
    ]);
    using state = openUplinkState(uplinkStatePathOf(logPath), logger);
    const requests: HubRequests = {
      command: async () => ({ status: 501, payload: null }),
      desired: () => undefined,
    };
    const connector = createConnector(uplink, { requests, clock, logger, environment: this.#environment });
    const engine = new Uplink({ log, state, connector, config: uplink, site, clock, logger });
    await engine.run(signal, ready);
  }
}
