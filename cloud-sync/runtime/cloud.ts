import { readFileSync } from "node:fs";
import tls from "node:tls";
import type { Logger } from "pino";
import type { Clock } from "../../edge/kernel/clock.ts";
import { Supervisor } from "../../edge/kernel/supervisor.ts";
import type { CloudConfig } from "../config/model.ts";
import { openCloud } from "./open-cloud.ts";
import type { CloudPart } from "./part.ts";
import { addParts } from "./parts.ts";

export interface CloudReady {
  /** http://…; undefined when the office does not run here. */
  readonly office: string | undefined;
  /** File with the account that the first start has made. */
  readonly account: string | undefined;
  readonly databaseUrl: string;
  /** Of the embedded server. */
  readonly postgresPid: number | undefined;
}

export interface CloudOptions {
  readonly config: CloudConfig;
  readonly parts: readonly CloudPart[];
  /** Makes the example company's factories and maintenance criteria where they never were. */
  readonly seedMetadata?: boolean;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Called once, when everything runs. */
  readonly onReady?: (ready: CloudReady) => void;
}

/**
 * Runs parts of the cloud side until the signal aborts. Nothing but the database and the event store connects them: each may be a process
 * of its own.
 * @throws EdgeError of the database or the store at the start, of the office's port, SHUTDOWN_DEADLINE
 */
export async function runCloud(options: CloudOptions, signal: AbortSignal): Promise<void> {
  const { config, parts, clock, logger } = options;
  if (config.hub?.ca !== undefined) trust(config.hub.ca);
  await using cloud = await openCloud(config, { connectionsMax: CONNECTIONS_MAX, clock, logger, signal });
  const { database, store, server } = cloud;
  if (options.seedMetadata) {
    const { seedMetadata } = await import("../services/command/seed/seed-metadata.ts");
    await seedMetadata({ store, clock, signal });
  }
  const supervisor = new Supervisor({ clock, logger });
  const opened = addParts({ config, parts, database, store, clock, logger, supervisor });
  const running = supervisor.run(signal);
  const ready = opened.then(({ office, account }) =>
    options.onReady?.({ office, account, databaseUrl: database.url, postgresPid: server?.pid }),
  );
  await Promise.race([ready, running]);
  await running;
}

const CONNECTIONS_MAX = 24;

/** Clients of the hub have no option for authorities of one's own. */
function trust(path: string): void {
  tls.setDefaultCACertificates([...tls.getCACertificates("default"), readFileSync(path, "utf8")]);
}
