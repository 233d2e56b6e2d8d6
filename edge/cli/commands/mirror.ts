import { resolve } from "node:path";
import { Command } from "commander";
import { EdgeError } from "../../kernel/errors.ts";
import type { Cli } from "../cli.ts";
import { findLog, type LogOptions, withLogOptions } from "../find-log.ts";
import { parseLogLevel } from "../log-level.ts";

interface MirrorOptions extends LogOptions {
  readonly database: string;
  readonly office?: string;
  readonly tokenFile?: string;
  readonly site?: string;
  readonly logLevel?: string;
}

const HELP = `
The database gets the same tables and views as the central office's (schemas model and report), filled from this box's log, with or without
a line. With --office it also follows metadata and what the cloud's models say of this factory; a token for it:
  tailstock cloud token add redmond-mirror --role viewer --factory redmond

Examples:
  tailstock mirror --database postgres://shop:secret@127.0.0.1/shop
  tailstock mirror --database "$SHOP_DATABASE" --office https://office.example --token-file secrets/office`;

/** A factory's own PostgreSQL that follows. */
export function mirrorCommand(cli: Cli): Command {
  return withLogOptions(new Command("mirror"))
    .description("keeps a factory's own PostgreSQL: its events from the log, metadata and results from the office")
    .requiredOption("--database <url>", "postgres://user:password@host/database")
    .option("--office <url>", "address of the central office; without it the factory's own events alone")
    .option("--token-file <file>", "file that holds the office's token and nothing else")
    .option("--site <name>", "the factory (default: that of the configuration, else of the log's own stream)")
    .option("--log-level <level>", "fatal, error, warn, info, debug or trace (default: TAILSTOCK_LOG_LEVEL, else info)")
    .addHelpText("after", HELP)
    .action((options: MirrorOptions) => mirror(cli, options));
}

async function mirror(cli: Cli, options: MirrorOptions): Promise<void> {
  const { database: databaseUrl, office: url, tokenFile } = options;
  if (!/^postgres(?:ql)?:\/\//.test(databaseUrl))
    throw new EdgeError("USAGE", "--database is no postgres:// URL", {
      hint: "For example postgres://user:password@127.0.0.1:5432/shop.",
    });
  if ((url === undefined) !== (tokenFile === undefined))
    throw new EdgeError("USAGE", "--office and --token-file go together", {
      hint: "The office lets nobody look without a token: tailstock cloud token add NAME --role viewer --factory SITE.",
    });
  const logPath = await findLog(cli, options);
  const [{ runMirror }, { createLogger }] = await Promise.all([
    import("../../../cloud-sync/runtime/mirror.ts"),
    import("../../kernel/logging.ts"),
  ]);
  const site = options.site ?? (await siteOf(logPath));
  const office =
    url === undefined || tokenFile === undefined ? {} : { office: { url, tokenFile: resolve(cli.cwd, tokenFile) } };
  await runMirror(
    {
      databaseUrl,
      logPath,
      site,
      ...office,
      clock: cli.clock,
      logger: createLogger({
        level: parseLogLevel(options.logLevel ?? cli.logLevel),
        pretty: process.stderr.isTTY === true && !cli.output.json,
        destination: process.stderr,
      }),
      onReady: () => {
        if (cli.output.json) void cli.output.jsonLine({ ready: true, pid: process.pid, site, log: logPath });
        else void cli.output.lines([`mirroring ${site} from ${logPath}`, "Ctrl-C ends it."]);
      },
    },
    cli.signal,
  );
}

/** The box's own stream is "<site>/edge". */
async function siteOf(logPath: string): Promise<string> {
  const { openLogReader } = await import("../../log/reader.ts");
  const log = openLogReader(logPath);
  try {
    const own = log.streams().find(({ machineId }) => machineId.endsWith("/edge"))?.machineId;
    if (own !== undefined) return own.slice(0, -"/edge".length);
  } finally {
    log.close();
  }
  throw new EdgeError("USAGE", "the log does not say of which factory it is", { hint: "Name it with --site." });
}
