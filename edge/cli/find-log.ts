import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Command } from "commander";
import { EdgeError } from "../kernel/errors.ts";
import type { LogReader } from "../log/event-log.ts";
import { openLogReader } from "../log/reader.ts";
import type { Cli } from "./cli.ts";

export interface LogOptions {
  readonly log?: string;
  readonly data?: string;
  readonly config?: string;
}

const LOG_NAME = "tailstock.db";
export const CONFIG_NAME = "tailstock.yaml";
export const DEMO_FOLDER = join("data", "demo");

/** Adds the options with which a command that reads the log finds it. */
export function withLogOptions(command: Command): Command {
  return command
    .option("--log <file>", "the log file itself")
    .option("--data <folder>", `the folder with ${LOG_NAME} in it`)
    .option("-c, --config <file>", "the configuration whose log is meant");
}

/**
 * Path of the log: the one named, else that of ./tailstock.yaml, else ./data/tailstock.db, else the demo's.
 * @throws EdgeError LOG_UNAVAILABLE that says where it looked
 */
export async function findLog(cli: Cli, options: LogOptions): Promise<string> {
  const looked: string[] = [];
  for (const path of await candidates(cli, options)) {
    if (existsSync(path)) return path;
    looked.push(path);
  }
  throw new EdgeError("LOG_UNAVAILABLE", `no log found: looked for ${[...new Set(looked)].join(", ")}`, {
    hint: "Start the runtime once (tailstock demo, or tailstock up), or name the file with --log.",
  });
}

/**
 * Path of the log that is meant, whether it is there or not: what the options or ./tailstock.yaml name, else the first that
 * findLog finds.
 */
export async function logPathFor(cli: Cli, options: LogOptions): Promise<string> {
  const paths = await candidates(cli, options);
  const first = paths[0] ?? resolve(cli.cwd, LOG_NAME);
  if (existsSync(resolve(cli.cwd, CONFIG_NAME))) return first;
  return paths.find((path) => existsSync(path)) ?? first;
}

async function candidates(cli: Cli, { log, data, config }: LogOptions): Promise<string[]> {
  const at = (...parts: string[]): string => resolve(cli.cwd, ...parts);
  if (log !== undefined) return [at(log)];
  if (config !== undefined) return [await logOfConfig(at(config))];
  if (data !== undefined) return [at(data, LOG_NAME)];
  const found: string[] = [];
  if (existsSync(at(CONFIG_NAME))) {
    try {
      found.push(await logOfConfig(at(CONFIG_NAME)));
    } catch (error) {
      // A configuration under repair must not hide the log that an earlier one filled.
      if (!(error instanceof EdgeError)) throw error;
      cli.output.note(`${CONFIG_NAME} can't be used (see: tailstock config check ${CONFIG_NAME}); looking in data/`);
    }
  }
  return [...found, at("data", LOG_NAME), at(DEMO_FOLDER, LOG_NAME)];
}

async function logOfConfig(path: string): Promise<string> {
  const { loadConfig } = await import("../kernel/config/load.ts");
  return (await loadConfig(path)).config.log.path;
}

/**
 * Opens the log for reading; the caller closes it.
 * @throws EdgeError LOG_UNAVAILABLE, LOG_VERSION
 */
export async function openFoundLog(cli: Cli, options: LogOptions): Promise<LogReader> {
  return openLogReader(await findLog(cli, options));
}
