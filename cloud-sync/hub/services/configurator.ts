import type { Logger } from "pino";
import type { Clock } from "../../../edge/kernel/clock.ts";
import { FailureLog } from "../../../edge/kernel/failure-log.ts";
import { HubError } from "../hub-error.ts";
import { keyOf } from "../identity.ts";
import type { Hub, Identity, JsonMap } from "../ports.ts";
import { holds } from "../query/evaluate.ts";
import { unhurried } from "../query/unhurried.ts";
import type { ConfigurationStore } from "../store/configuration-store.ts";
import { type ConfigurationContent, patchBetween, type Section, withSection } from "./configuration-content.ts";
import { type Active, activeOf, type ConfigurationStatus, deploymentOf, planOf } from "./configuration-plan.ts";
import type { Documents } from "./documents.ts";

const SWEEP_INTERVAL_MS = 1_000;
/** A sweep over many twins is followed by a rest so many times as long, so that it takes a tenth of a core at most. */
const REST_FACTOR = 9;

/**
 * Applies automatic configurations and IoT Edge deployments to the twins that their target conditions select, in the
 * background. Of two that set the same properties the higher priority wins, then the one made later; a twin that nothing
 * targets any more keeps what it has. Who is targeted is worked out again at every sweep, so nothing of it is stored.
 */
export class Configurator {
  readonly #hub: Pick<Hub, "registry" | "twins">;
  readonly #store: ConfigurationStore;
  readonly #documents: () => Documents;
  readonly #clock: Clock;
  readonly #failures: FailureLog;
  #statuses: ReadonlyMap<string, ReadonlyMap<string, ConfigurationStatus>> = new Map();
  #counts: ReadonlyMap<string, { targeted: number; applied: number }> = new Map();
  #wake = new AbortController();
  #writes = 0;

  constructor(deps: {
    readonly hub: Pick<Hub, "registry" | "twins">;
    readonly store: ConfigurationStore;
    readonly documents: () => Documents;
    readonly clock: Clock;
    readonly logger: Logger;
  }) {
    this.#hub = deps.hub;
    this.#store = deps.store;
    this.#documents = deps.documents;
    this.#clock = deps.clock;
    this.#failures = new FailureLog(deps.logger, deps.clock, { component: "hub configurations" });
    this.#store.onChanged(() => this.#wake.abort());
  }

  /** As a twin shows it: `{"id": {"status": "Applied"}}`. */
  statusesOf(identity: Identity): JsonMap {
    const statuses = this.#statuses.get(keyOf(identity)) ?? new Map<string, ConfigurationStatus>();
    return Object.fromEntries([...statuses].map(([id, status]) => [id, { status }]));
  }

  countsOf(id: string): { targeted: number; applied: number } {
    return this.#counts.get(id) ?? { targeted: 0, applied: 0 };
  }

  /** Sweeps until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      this.#wake = new AbortController();
      const beganMs = this.#clock.monotonicMs();
      try {
        await this.#sweep(signal);
        this.#failures.recovered();
      } catch (error) {
        this.#failures.failed(error);
      }
      const restMs = Math.max(SWEEP_INTERVAL_MS, (this.#clock.monotonicMs() - beganMs) * REST_FACTOR);
      await this.#clock.sleep(restMs, AbortSignal.any([signal, this.#wake.signal]));
    }
  }

  /** Sets one device's desired properties, or those of its modules, now. @throws HubError ArgumentInvalid, DeviceNotFound */
  applyNow(deviceId: string, content: ConfigurationContent): void {
    this.#hub.twins.get({ deviceId });
    if (content.kind === "deviceContent") this.#set({ deviceId }, content.sections);
    if (content.kind === "moduleContent")
      throw new HubError("ArgumentInvalid", "moduleContent needs a target condition");
    if (content.kind === "modulesContent") this.#deploy(deviceId, content.modules);
  }

  async #sweep(signal: AbortSignal): Promise<void> {
    const actives = this.#store.all().map(activeOf);
    const statuses = new Map<string, ReadonlyMap<string, ConfigurationStatus>>();
    const counts = new Map<string, { targeted: number; applied: number }>();
    for (const source of ["devices", "devices.modules"] as const) {
      const own = actives.filter((active) => active.source === source);
      if (own.length === 0) continue;
      for await (const { document } of unhurried(this.#documents().of(source)(undefined))) {
        if (signal.aborted) return;
        const writes = this.#writes;
        const found = this.#applyTo(document, own);
        // Each is a commit: devices are served in between.
        if (this.#writes !== writes) await new Promise(setImmediate);
        if (found !== undefined && found.statuses.size > 0) statuses.set(found.key, found.statuses);
        for (const [id, status] of found?.statuses ?? []) {
          const before = counts.get(id) ?? { targeted: 0, applied: 0 };
          counts.set(id, { targeted: before.targeted + 1, applied: before.applied + (status === "Applied" ? 1 : 0) });
        }
      }
    }
    this.#statuses = statuses;
    this.#counts = counts;
  }

  #applyTo(
    document: JsonMap,
    actives: readonly Active[],
  ): { key: string; statuses: ReadonlyMap<string, ConfigurationStatus> } | undefined {
    const { deviceId, moduleId, capabilities } = document;
    if (typeof deviceId !== "string") return undefined;
    const identity = { deviceId, ...(typeof moduleId === "string" ? { moduleId } : {}) };
    const isEdge =
      typeof capabilities === "object" &&
      capabilities !== null &&
      "iotEdge" in capabilities &&
      capabilities.iotEdge === true;
    const targeting = actives.filter(
      ({ condition, content }) => (content.kind !== "modulesContent" || isEdge) && holds(condition, document),
    );
    if (targeting.length === 0 || this.#isDeployed(identity)) return undefined;
    try {
      const plan = planOf(targeting);
      if (plan.sections.length > 0) this.#set(identity, plan.sections);
      const deployment = deploymentOf(targeting);
      if (deployment.modules.size > 0) this.#deploy(deviceId, deployment.modules);
      return { key: keyOf(identity), statuses: new Map([...plan.statuses, ...deployment.statuses]) };
    } catch (error) {
      // Removed in between, or its properties would get too large: the others go on.
      this.#failures.failed(error, { twin: keyOf(identity) });
      return { key: keyOf(identity), statuses: new Map(targeting.map(({ id }) => [id, "Targeted"])) };
    }
  }

  /** What a module of IoT Edge is told stands in its device's deployment alone, else two would set it in turns for ever. */
  #isDeployed(identity: Identity): boolean {
    return identity.moduleId !== undefined && this.#hub.registry.get(identity)?.managedBy?.toLowerCase() === "iotedge";
  }

  #deploy(deviceId: string, modules: ReadonlyMap<string, readonly Section[]>): void {
    for (const [moduleId, sections] of modules) {
      const identity = { deviceId, moduleId };
      if (this.#hub.registry.get(identity) === undefined) this.#hub.registry.create(identity, { managedBy: "IotEdge" });
      this.#set(identity, sections);
    }
  }

  #set(identity: Identity, sections: readonly Section[]): void {
    const { values } = this.#hub.twins.get(identity).desired;
    const shallowFirst = [...sections].sort((a, b) => a.path.length - b.path.length);
    const patch = patchBetween(values, shallowFirst.reduce(withSection, values));
    if (patch === undefined) return;
    this.#writes++;
    this.#hub.twins.write(identity, { desired: patch }, "patch");
  }
}
