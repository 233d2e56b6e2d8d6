import { join, resolve } from "node:path";
import type { Command } from "commander";
import { type HubAddresses, readHubAddresses } from "../../../../cloud-sync/hub/hub-file.ts";
import { EdgeError } from "../../../kernel/errors.ts";
import type { Cli } from "../../cli.ts";
import { DEMO_FOLDER } from "../../find-log.ts";

const FOLDER = join("data", "hub");

export interface HubFolderOptions {
  readonly data?: string;
}

export function withHubFolder(command: Command): Command {
  return command.option("--data <folder>", `the hub's folder (default: ./${FOLDER}, else the demo's)`);
}

/** Where a hub that is started keeps everything. */
export function newHubFolder(cli: Cli, { data }: HubFolderOptions): string {
  return resolve(cli.cwd, data ?? FOLDER);
}

/**
 * The folder of a hub that ran at least once, and what it said of itself then.
 * @throws EdgeError HUB_UNAVAILABLE that says where it looked
 */
export function findHub(cli: Cli, { data }: HubFolderOptions): { folder: string; addresses: HubAddresses } {
  const folders = (data === undefined ? [FOLDER, join(DEMO_FOLDER, "hub")] : [data]).map((f) => resolve(cli.cwd, f));
  for (const folder of folders) {
    const addresses = readHubAddresses(folder);
    if (addresses !== undefined) return { folder, addresses };
  }
  throw new EdgeError("HUB_UNAVAILABLE", `no hub found: looked in ${folders.join(", ")}`, {
    hint: "Start one (tailstock hub), or name its folder with --data.",
  });
}
