import { existsSync, readFileSync } from "node:fs";
import { Command } from "commander";
import type { CloudReady } from "../../../../cloud-sync/runtime/cloud.ts";
import type { Cli } from "../../cli.ts";
import { type CloudOptions, findCloudConfig, withCloudOptions } from "../../cloud/with-cloud.ts";
import { parseLogLevel } from "../../log-level.ts";

interface UpOptions extends CloudOptions {
  readonly parts?: string;
  readonly logLevel?: string;
}

export function cloudUpCommand(cli: Cli): Command {
  return withCloudOptions(new Command("up"))
    .description("takes the factories' events in, keeps them, and serves the central office's page, until Ctrl-C")
    .option("--parts <names>", "only these parts, with commas between: each may be a process or container of its own")
    .option("--log-level <level>", "fatal, error, warn, info, debug or trace (default: TAILSTOCK_LOG_LEVEL, else info)")
    .action(async (options: UpOptions) => {
      const [{ loadCloudConfig }, { parseParts }, { runCloud }, { createLogger }] = await Promise.all([
        import("../../../../cloud-sync/config/load.ts"),
        import("../../../../cloud-sync/runtime/part.ts"),
        import("../../../../cloud-sync/runtime/cloud.ts"),
        import("../../../kernel/logging.ts"),
      ]);
      const parts = parseParts(options.parts);
      const config = await loadCloudConfig(findCloudConfig(cli, options));
      const logger = createLogger({
        level: parseLogLevel(options.logLevel ?? cli.logLevel),
        pretty: process.stderr.isTTY === true && !cli.output.json,
        destination: process.stderr,
      });
      const onReady = (ready: CloudReady): void => void announce(cli, ready);
      await runCloud({ config, parts, clock: cli.clock, logger, onReady }, cli.signal);
    });
}

async function announce(cli: Cli, { office, account }: CloudReady): Promise<void> {
  if (cli.output.json) return cli.output.jsonLine({ ready: true, pid: process.pid, office: office ?? null });
  const first = account !== undefined && existsSync(account) ? readFileSync(account, "utf8").trim() : undefined;
  await cli.output.lines([
    ...(office === undefined ? ["running (without the page)"] : [`central office  ${office}`]),
    ...(first === undefined ? [] : [`                ${first}`]),
    "Ctrl-C ends it.",
  ]);
}
