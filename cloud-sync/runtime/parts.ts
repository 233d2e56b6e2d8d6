import { hostname } from "node:os";
import type { Component } from "../../edge/kernel/component.ts";
import type { HubConfig, LakeConfig, ScoringConfig } from "../config/model.ts";
import { type CloudPart, MODELS_FOLDER, type PartDeps } from "./part.ts";
import { addServices, type ListeningServices } from "./service-parts.ts";

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
  if (config.lake !== undefined && has("lake")) supervisor.supervise(await lakePart(config.lake, deps));
  if (config.scoring !== undefined && has("scoring")) supervisor.supervise(await scoringPart(config.scoring, deps));
  return addServices(deps);
}

async function lakePart(lake: LakeConfig, { store, database, clock, logger }: PartDeps): Promise<Component> {
  const { LakeWriter } = await import("../lake/lake-writer.ts");
  return new LakeWriter({ store, database, place: lake.place, flushMs: lake.flushMs, clock, logger });
}

async function scoringPart(
  { rules, producer }: ScoringConfig,
  { store, database, clock, logger }: PartDeps,
): Promise<Component> {
  const { CloudScorer } = await import("../scoring/cloud-scorer.ts");
  return new CloudScorer({
    store,
    database,
    modelsFolder: MODELS_FOLDER,
    rules,
    ...(producer === undefined ? {} : { producer }),
    clock,
    logger,
  });
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
  { database, clock, logger }: PartDeps,
  telemetryDays: number,
): Promise<readonly Component[]> {
  const [{ Repacker }, { StoreKeeper }] = await Promise.all([
    import("../store/postgres/repack/repacker.ts"),
    import("../store/postgres/store-keeper.ts"),
  ]);
  return [new Repacker({ database, clock, logger }), new StoreKeeper({ database, telemetryDays, clock, logger })];
}
