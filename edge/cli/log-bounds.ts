import { existsSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { CURSOR_BY_LANE } from "../../cloud-sync/uplink/ports.ts";
import type { Config } from "../kernel/config/model.ts";
import { EdgeError } from "../kernel/errors.ts";
import type { BoundsOptions } from "../log/keep/bounds.ts";
import type { Cli } from "./cli.ts";
import { CONFIG_NAME, type LogOptions } from "./find-log.ts";
import { readRuntimeFile } from "./runtime-file.ts";

export interface FoundBounds {
  readonly bounds: BoundsOptions;
  /** The configuration that they are from; null when they are the defaults. */
  readonly configPath: string | null;
  readonly config: Config | null;
}

/** As the collector keeps it: what the cloud has goes first. */
const FORWARDED = { forwardedBy: CURSOR_BY_LANE.telemetry };

/**
 * The bounds under which a log is kept: those of the configuration that is named, else of the one with which it was last
 * written, else of one that names this log; the defaults when there is none.
 * @throws EdgeError CONFIG_INVALID, CONFIG_UNREADABLE for a configuration that was named
 */
export async function boundsOfLog(cli: Cli, options: LogOptions, logPath: string): Promise<FoundBounds> {
  const { loadConfig } = await import("../kernel/config/load.ts");
  if (options.config !== undefined) {
    const configPath = resolve(cli.cwd, options.config);
    const { config } = await loadConfig(configPath);
    return { bounds: { ...config.log, ...FORWARDED }, configPath, config };
  }
  const candidates = [
    readRuntimeFile(logPath)?.configPath,
    join(cli.cwd, CONFIG_NAME),
    join(dirname(logPath), CONFIG_NAME),
  ];
  for (const configPath of candidates) {
    if (configPath === undefined || !existsSync(configPath)) continue;
    try {
      const { config } = await loadConfig(configPath);
      if (resolve(config.log.path) === resolve(logPath))
        return { bounds: { ...config.log, ...FORWARDED }, configPath, config };
    } catch (error) {
      if (!(error instanceof EdgeError)) throw error;
      cli.output.note(`${configPath} can't be used (see: tailstock config check): its bounds of the log are not known`);
    }
  }
  return { bounds: FORWARDED, configPath: null, config: null };
}
