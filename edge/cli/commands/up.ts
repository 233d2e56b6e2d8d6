import { resolve } from "node:path";
import { Command } from "commander";
import type { Cli } from "../cli.ts";
import { runEdgeProcess } from "../edge-process.ts";
import { CONFIG_NAME } from "../find-log.ts";
import { parseLogLevel } from "../log-level.ts";

interface UpOptions {
  readonly config: string;
  readonly dashboard: boolean;
  readonly logLevel?: string;
}

export function upCommand(cli: Cli): Command {
  return new Command("up")
    .description(
      "polls the machines of a configuration and shows them, until Ctrl-C; edits of the file are applied live",
    )
    .option("-c, --config <file>", "the configuration", CONFIG_NAME)
    .option("--no-dashboard", "collect only")
    .option("--log-level <level>", "fatal, error, warn, info, debug or trace (default: TAILSTOCK_LOG_LEVEL, else info)")
    .action(async (options: UpOptions) => {
      const { loadConfig } = await import("../../kernel/config/load.ts");
      const configPath = resolve(cli.cwd, options.config);
      const { config } = await loadConfig(configPath);
      await runEdgeProcess(
        cli,
        {
          configPath,
          logPath: config.log.path,
          controlUrl: null,
          withDashboard: options.dashboard,
          logLevel: parseLogLevel(options.logLevel ?? cli.logLevel),
          onReady: (dashboardUrl) =>
            cli.output.json
              ? cli.output.jsonLine({ ready: true, dashboardUrl, logPath: config.log.path, pid: process.pid })
              : cli.output.lines([
                  dashboardUrl === null ? "collecting (no dashboard)" : `dashboard  ${dashboardUrl}`,
                  `log        ${config.log.path}`,
                  "Ctrl-C ends it.",
                ]),
        },
        cli.signal,
      );
    });
}
