import { parseLogLevel } from "../edge/cli/log-level.ts";
import { EdgeError, messageOf } from "../edge/kernel/errors.ts";
import { createLogger } from "../edge/kernel/logging.ts";
import { runEdge } from "../edge/runtime/edge.ts";
import type { Environment, Part } from "../edge/runtime/part.ts";

export interface ModuleOptions {
  readonly part: Part;
  readonly configPath: string;
  readonly logLevel: string;
  /** Variables of the IoT Edge runtime, which tell the uplink who it is. */
  readonly environment?: Environment;
}

/** Runs one part as a process of its own until SIGTERM or SIGINT; the exit code says whether it ended in order. */
export async function runModule({ part, configPath, logLevel, environment = {} }: ModuleOptions): Promise<never> {
  const stop = new AbortController();
  for (const name of ["SIGTERM", "SIGINT"] as const) process.once(name, () => stop.abort());
  let exitCode = 0;
  const logger = createLogger({ level: parseLogLevel(logLevel), pretty: false });
  try {
    await runEdge(
      {
        configPath,
        logger,
        parts: [part],
        environment,
        onReady: ({ config, dashboardUrl }) =>
          logger.info({ part, site: config.site, log: config.log.path, dashboardUrl }, "module is ready"),
      },
      stop.signal,
    );
    logger.info({ part }, "module ended in order");
  } catch (error) {
    exitCode = 1;
    const hint = error instanceof EdgeError ? error.hint : undefined;
    logger.fatal({ err: error, part, hint }, messageOf(error));
  }
  process.exit(exitCode);
}
