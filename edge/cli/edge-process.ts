import { EdgeError } from "../kernel/errors.ts";
import type { LogLevel } from "../kernel/logging.ts";
import type { Cli } from "./cli.ts";
import { type RuntimeFile, readRuntimeFile, writeRuntimeFile } from "./runtime-file.ts";

export interface EdgeProcessOptions {
  /** Absolute. */
  readonly configPath: string;
  readonly logPath: string;
  readonly controlUrl: string | null;
  readonly withDashboard: boolean;
  readonly logLevel: LogLevel;
  readonly onReady: (dashboardUrl: string | null) => void | Promise<void>;
}

/**
 * Runs the whole edge in this process until the signal aborts, and leaves word beside the log where it can be found.
 * @throws EdgeError USAGE when a runtime of this machine writes the log already; those of `runEdge`
 */
export async function runEdgeProcess(cli: Cli, options: EdgeProcessOptions, signal: AbortSignal): Promise<void> {
  refuseSecond(options.logPath);
  const { createLogger } = await import("../kernel/logging.ts");
  const { runEdge } = await import("../runtime/edge.ts");
  const { configPath, logPath, controlUrl } = options;
  // Standard output is for results; the runtime's own log lines go beside them.
  const logger = createLogger({
    level: options.logLevel,
    pretty: process.stderr.isTTY === true && !cli.output.json,
    destination: process.stderr,
  });
  let runtime: RuntimeFile | undefined;
  try {
    await runEdge(
      {
        configPath,
        logger,
        parts: ["collector", "uplink", ...(options.withDashboard ? ["dashboard" as const] : [])],
        environment: cli.environment,
        clock: cli.clock,
        onReady: ({ dashboardUrl = null }) => {
          runtime = {
            pid: process.pid,
            startedMs: cli.clock.nowMs(),
            configPath,
            dashboardUrl,
            controlUrl,
            endedMs: null,
          };
          writeRuntimeFile(logPath, runtime);
          void options.onReady(dashboardUrl);
        },
      },
      signal,
    );
  } finally {
    if (runtime !== undefined) writeRuntimeFile(logPath, { ...runtime, endedMs: cli.clock.nowMs() });
  }
}

/** @throws EdgeError USAGE */
export function refuseSecond(logPath: string): void {
  const running = readRuntimeFile(logPath);
  if (running?.alive !== true || running.pid === process.pid) return;
  const where = running.dashboardUrl === null ? "" : ` and shows it at ${running.dashboardUrl}`;
  throw new EdgeError("USAGE", `process ${running.pid} already fills ${logPath}${where}`, {
    hint: "Stop it first, or name another folder; two collectors would read every machine twice.",
  });
}
