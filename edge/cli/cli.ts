import type { Clock } from "../kernel/clock.ts";
import type { Output } from "./output.ts";

/** What every command gets from main.ts, the one place that reads the process's surroundings. */
export interface Cli {
  readonly output: Output;
  /** Absolute; relative paths of options are relative to it. */
  readonly cwd: string;
  readonly clock: Clock;
  /** Aborts on Ctrl-C, on SIGTERM, or when the launcher is gone. */
  readonly signal: AbortSignal;
  /** Level of the runtime's own log lines: fatal, error, warn, info, debug, trace. */
  readonly logLevel: string;
  /** The process's variables, for an uplink that the IoT Edge runtime tells who it is. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Node's arguments for a child that runs TypeScript as this process does. */
  readonly nodeArguments: readonly string[];
  /** Marks that a problem was found: the exit code becomes 1. */
  problemFound(): void;
}
