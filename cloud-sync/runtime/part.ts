import { join } from "node:path";
import type { Logger } from "pino";
import type { Clock } from "../../edge/kernel/clock.ts";
import { EdgeError } from "../../edge/kernel/errors.ts";
import type { Supervisor } from "../../edge/kernel/supervisor.ts";
import type { CloudConfig } from "../config/model.ts";
import type { Database } from "../database/database.ts";
import type { EventStore } from "../store/event-store.ts";

/**
 * ingest: hub → event store. lines: how the boxes' lines are, from the hub. projections: event store → read models. repack: fewer and
 * larger documents (PostgreSQL). lake: event store → Parquet. scoring: the cloud's own models. office: the page, with the command and the
 * query service unless they run apart. command, query: those services alone.
 */
export const CLOUD_PARTS = [
  "ingest",
  "lines",
  "projections",
  "repack",
  "lake",
  "scoring",
  "office",
  "command",
  "query",
] as const;
export type CloudPart = (typeof CLOUD_PARTS)[number];
/** What one process runs that is told nothing else. */
const DEFAULT_PARTS = CLOUD_PARTS.filter((part) => part !== "command" && part !== "query");

/** @throws EdgeError USAGE */
export function parseParts(text: string | undefined): readonly CloudPart[] {
  if (text === undefined) return DEFAULT_PARTS;
  return text.split(",").map((name) => {
    const part = CLOUD_PARTS.find((known) => known === name.trim());
    if (part !== undefined) return part;
    throw new EdgeError("USAGE", `"${name}" is no part of the cloud side`, {
      hint: `Known: ${CLOUD_PARTS.join(", ")}.`,
    });
  });
}

/** With the versions of each model. */
export const MODELS_FOLDER = join(import.meta.dirname, "..", "..", "models");

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
