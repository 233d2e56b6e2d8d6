/**
 * The cloud side as a process of its own:
 *   node cloud-sync/runtime/main.ts --config cloud.yaml [--parts ingest,lines,projections,…] [--log-level warn] [--show-database]
 *     [--seed-metadata]
 * Parts: see part.ts; all of them when left out. Several processes may run the same parts on one database: workers share the hub's
 * partitions, and each projection has one owner at a time. Prints one JSON line with its addresses when ready; ends on SIGTERM, SIGINT
 * or when stdin closes. --seed-metadata makes the example company's factories and criteria where they never were. --show-database adds the database's URL, which holds its password, to that line.
 */
import { parseArgs } from "node:util";
import { printReady, untilAskedToEnd } from "../../edge/kernel/child.ts";
import { systemClock } from "../../edge/kernel/clock.ts";
import { EdgeError, messageOf } from "../../edge/kernel/errors.ts";
import { createLogger, type LogLevel } from "../../edge/kernel/logging.ts";
import { loadCloudConfig } from "../config/load.ts";
import { runCloud } from "./cloud.ts";
import { parseParts } from "./part.ts";

/** Whatever hangs at the end, the process does not. */
const END_MS_MAX = 3_000;

async function main(): Promise<void> {
  const asked = untilAskedToEnd();
  const { values } = parseArgs({
    options: {
      config: { type: "string" },
      parts: { type: "string" },
      "log-level": { type: "string", default: "warn" },
      "seed-metadata": { type: "boolean", default: false },
      "show-database": { type: "boolean", default: false },
    },
  });
  if (values.config === undefined) throw new EdgeError("USAGE", "--config is missing");
  const config = await loadCloudConfig(values.config);
  const ending = new AbortController();
  void asked.then(() => {
    ending.abort();
    setTimeout(() => process.exit(1), END_MS_MAX).unref();
  });
  const logger = createLogger({ level: values["log-level"] as LogLevel, pretty: false, destination: process.stderr });
  await runCloud(
    {
      config,
      parts: parseParts(values.parts),
      seedMetadata: values["seed-metadata"],
      clock: systemClock,
      logger,
      onReady: ({ office, account, databaseUrl, postgresPid }) =>
        printReady({
          office: office ?? null,
          account: account ?? null,
          pid: process.pid,
          ...(values["show-database"] ? { databaseUrl, postgresPid: postgresPid ?? null } : {}),
        }),
    },
    ending.signal,
  );
  process.exit(0);
}

main().catch((error: unknown) => {
  console.error(messageOf(error));
  if (error instanceof EdgeError && error.hint !== undefined) console.error(error.hint);
  process.exit(1);
});
