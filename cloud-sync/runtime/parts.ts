import { hostname } from "node:os";
import type { Logger } from "pino";
import type { Clock } from "../../edge/kernel/clock.ts";
import type { Component } from "../../edge/kernel/component.ts";
import type { Supervisor } from "../../edge/kernel/supervisor.ts";
import type { CloudConfig, HubConfig } from "../config/model.ts";
import type { Database } from "../database/database.ts";
import type { EventStore } from "../store/event-store.ts";
import type { CloudPart } from "./cloud.ts";
import { addServices, type ListeningServices } from "./service-parts.ts";

/** What every part works with. */
export interface PartDeps {
  readonly config: CloudConfig;
  readonly parts: readonly CloudPart[];
  readonly database: Database;
  readonly store: EventStore;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly supervisor: Supervisor;
}

/**
 * Takes the parts in; resolves when those that listen do. A part is loaded when it runs here: each costs memory that a process without it
 * should keep.
 */
export async function addParts(deps: PartDeps): Promise<ListeningServices> {
  const { config, parts, supervisor, logger } = deps;
  const has = (part: CloudPart): boolean => parts.includes(part);
  const { hub } = config;
  if (hub === undefined && (has("ingest") || has("lines")))
    logger.info("no hub is configured: nothing is taken in here");
  const projections = has("projections") ? await projectionsPart(deps) : undefined;
  if (projections !== undefined) supervisor.supervise(projections);
  if (hub !== undefined && has("ingest")) supervisor.supervise(await ingestPart(hub, deps, projections));
  if (hub?.serviceConnectionString !== undefined && has("lines"))
    supervisor.supervise(await linesPart(hub, hub.serviceConnectionString, deps));
  if (has("repack") && config.store.kind === "postgres")
    for (const part of await keepingParts(deps, config.store.telemetryDays)) supervisor.supervise(part);
  return addServices(deps);
}

async function projectionsPart({ store, database, clock, logger }: PartDeps) {
  const { ProjectionRunner } = await import("../projections/runner.ts");
  return new ProjectionRunner({ store, database, clock, logger });
}

async function ingestPart(
  hub: HubConfig,
  { store, database, clock, logger }: PartDeps,
  projections: { notify(): void } | undefined,
): Promise<Component> {
  const { Ingest } = await import("../ingest/ingest.ts");
  return new Ingest({
    eventsConnectionString: hub.eventsConnectionString,
    consumerGroup: hub.consumerGroup,
    workerId: `${hostname()}-${process.pid}`,
    store,
    database,
    clock,
    logger,
    onStored: () => projections?.notify(),
  });
}

async function linesPart(
  { ca }: HubConfig,
  serviceConnectionString: string,
  { database, clock, logger }: PartDeps,
): Promise<Component> {
  const { LineWatch } = await import("../ingest/line-watch.ts");
  return new LineWatch({ serviceConnectionString, caPath: ca, database, clock, logger });
}

async function keepingParts(
  { database, store, clock, logger }: PartDeps,
  telemetryDays: number,
): Promise<readonly Component[]> {
  const [{ Repacker }, { StoreKeeper }] = await Promise.all([
    import("../store/postgres/repack/repacker.ts"),
    import("../store/postgres/store-keeper.ts"),
  ]);
  return [new Repacker({ database, store, clock, logger }), new StoreKeeper({ database, telemetryDays, clock, logger })];
}
