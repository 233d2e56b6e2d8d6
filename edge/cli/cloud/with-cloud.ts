import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Command } from "commander";
import type { Logger } from "pino";
import type { CloudConfig } from "../../../cloud-sync/config/model.ts";
import type { Database } from "../../../cloud-sync/database/database.ts";
import type { EventStore } from "../../../cloud-sync/store/event-store.ts";
import { EdgeError } from "../../kernel/errors.ts";
import type { Cli } from "../cli.ts";
import { DEMO_FOLDER } from "../find-log.ts";

export const CLOUD_CONFIG_NAME = "cloud.yaml";

export interface CloudOptions {
  /** The configuration's file. */
  readonly config?: string;
}

/** What a short command works with, beside a cloud side that runs or without one. */
export interface OpenCloud {
  readonly config: CloudConfig;
  /** Migrated to this program's version. */
  readonly database: Database;
  readonly store: EventStore;
  readonly logger: Logger;
}

/** Adds the option by which a command finds the cloud side. */
export function withCloudOptions(command: Command): Command {
  return command.option(
    "-c, --config <file>",
    `the cloud side's configuration (default: ./${CLOUD_CONFIG_NAME}, else the demo's)`,
  );
}

/** @throws EdgeError USAGE that says where it looked */
export function findCloudConfig(cli: Cli, options: CloudOptions): string {
  if (options.config !== undefined) return resolve(cli.cwd, options.config);
  const places = [resolve(cli.cwd, CLOUD_CONFIG_NAME), resolve(cli.cwd, DEMO_FOLDER, "cloud", CLOUD_CONFIG_NAME)];
  const found = places.find((path) => existsSync(path));
  if (found !== undefined) return found;
  throw new EdgeError("USAGE", `no configuration of a cloud side found: looked for ${places.join(" and ")}`, {
    hint: "Start the demo once (tailstock demo), or name the file with --config.",
  });
}

/**
 * Opens the cloud side's database and event store for a short command, and closes them behind it. An embedded server that runs is used;
 * one that does not run is started for as long as the command takes.
 */
export async function withCloud<T>(
  cli: Cli,
  options: CloudOptions,
  work: (cloud: OpenCloud) => Promise<T>,
): Promise<T> {
  const [{ loadCloudConfig }, { openCloud }, { createLogger }] = await Promise.all([
    import("../../../cloud-sync/config/load.ts"),
    import("../../../cloud-sync/runtime/open-cloud.ts"),
    import("../../kernel/logging.ts"),
  ]);
  const config = await loadCloudConfig(findCloudConfig(cli, options));
  const logger = createLogger({ level: "error", pretty: !cli.output.json, destination: process.stderr });
  await using cloud = await openCloud(config, { guest: true, clock: cli.clock, logger, signal: cli.signal });
  return await work({ config, logger, database: cloud.database, store: cloud.store });
}

/** Folder in which a demo keeps its cloud side. */
export function demoCloudFolder(folder: string): string {
  return join(folder, "cloud");
}
