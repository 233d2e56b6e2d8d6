import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Command } from "commander";
import type { LakePlace } from "../../../../cloud-sync/lake/place/place.ts";
import { EdgeError, messageOf } from "../../../kernel/errors.ts";
import type { Cli } from "../../cli.ts";
import {
  CLOUD_CONFIG_NAME,
  type CloudOptions,
  demoCloudFolder,
  findCloudConfig,
  withCloudOptions,
} from "../../cloud/with-cloud.ts";
import { parseCount } from "../../duration.ts";
import { DEMO_FOLDER } from "../../find-log.ts";

export interface LakeOptions extends CloudOptions {
  readonly folder?: string;
  /** Path of a file with a connection string. */
  readonly blob?: string;
  readonly container?: string;
  readonly prefix?: string;
}

/** Adds the options by which a command finds the lake. */
export function withLakeOptions(command: Command): Command {
  return withCloudOptions(command)
    .option("--folder <folder>", "the lake's folder (default: that of the configuration, else the demo's)")
    .option("--blob <file>", "a file with the connection string of the storage account that the lake is in")
    .option("--container <name>", "its container", "lake")
    .option("--prefix <text>", "beginning of the names of its blobs", "");
}

/**
 * Where the lake is: the place named, else that of the configuration, else the demo's folder.
 * @throws EdgeError USAGE, CONFIG_INVALID, CONFIG_UNREADABLE
 */
export async function findLake(cli: Cli, options: LakeOptions): Promise<LakePlace> {
  if (options.folder !== undefined && options.blob !== undefined)
    throw new EdgeError("USAGE", "--folder and --blob are two places", { hint: "Name one of them." });
  if (options.folder !== undefined) return { folder: resolve(cli.cwd, options.folder) };
  if (options.blob !== undefined)
    return {
      blob: connectionString(resolve(cli.cwd, options.blob)),
      container: options.container ?? "lake",
      prefix: options.prefix ?? "",
    };
  if (options.config === undefined && !existsSync(resolve(cli.cwd, CLOUD_CONFIG_NAME))) {
    const demo = join(demoCloudFolder(resolve(cli.cwd, DEMO_FOLDER)), "lake");
    if (existsSync(demo)) return { folder: demo };
  }
  const { loadCloudConfig } = await import("../../../../cloud-sync/config/load.ts");
  const path = findCloudConfig(cli, options);
  const { lake } = await loadCloudConfig(path);
  if (lake !== undefined) return lake.place;
  throw new EdgeError("USAGE", `${path} has no lake`, {
    hint: "Add the section lake to it, or name --folder or --blob.",
  });
}

/** MB that DuckDB may take. @throws EdgeError USAGE */
export function parseMemory(text: string): number {
  return parseCount(text, { min: 64, max: 1_000_000, what: "a size in MB" });
}

function connectionString(path: string): string {
  try {
    return readFileSync(path, "utf8").trim();
  } catch (error) {
    throw new EdgeError("USAGE", `the file of the connection string can't be read: ${messageOf(error)}`, {
      hint: "--blob names a file, so that the secret stands in no list of processes.",
    });
  }
}
