import { EdgeError } from "../kernel/errors.ts";
import type { LogLevel } from "../kernel/logging.ts";

const LOG_LEVELS = [
  "trace",
  "debug",
  "info",
  "warn",
  "error",
  "fatal",
  "silent",
] as const satisfies readonly LogLevel[];

/**
 * A level of log lines by its name.
 * @throws EdgeError USAGE
 */
export function parseLogLevel(text: string): LogLevel {
  const level = LOG_LEVELS.find((each) => each === text);
  if (level !== undefined) return level;
  throw new EdgeError("USAGE", `"${text}" is not a level of log lines`, { hint: `Known: ${LOG_LEVELS.join(", ")}` });
}
