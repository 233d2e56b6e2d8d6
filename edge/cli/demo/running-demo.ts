import { join, resolve } from "node:path";
import { EdgeError } from "../../kernel/errors.ts";
import type { Cli } from "../cli.ts";
import { DEMO_FOLDER } from "../find-log.ts";
import { readRuntimeFile } from "../runtime-file.ts";
import { DEMO_LOG_NAME } from "./demo-config.ts";

export function demoFolder(cli: Cli, data: string | undefined): string {
  return resolve(cli.cwd, data ?? DEMO_FOLDER);
}

/**
 * The control surface of the demo that runs on this folder.
 * @throws EdgeError DRIVER_NOT_CONNECTED when none runs
 */
export function controlUrlOf(cli: Cli, data: string | undefined): string {
  const folder = demoFolder(cli, data);
  const running = readRuntimeFile(join(folder, DEMO_LOG_NAME));
  if (running?.alive !== true || running.controlUrl === null) {
    throw new EdgeError("DRIVER_NOT_CONNECTED", `no demo runs on ${folder}`, {
      hint: "Start it in another terminal (tailstock demo), or name its folder with --data.",
    });
  }
  return running.controlUrl;
}
