import type { Logger } from "pino";
import type { Clock } from "../../edge/kernel/clock.ts";
import { Supervisor } from "../../edge/kernel/supervisor.ts";
import { openFollowingReader } from "../../edge/log/following-reader.ts";
import { Database } from "../database/database.ts";
import { migrate } from "../database/migrate.ts";
import { Mirror } from "../mirror/mirror.ts";
import { ProjectionRunner } from "../projections/runner.ts";
import { createPostgresEventStore } from "../store/postgres/postgres-event-store.ts";
import { Repacker } from "../store/postgres/repack/repacker.ts";
import { StoreKeeper } from "../store/postgres/store-keeper.ts";

export interface RunMirrorOptions {
  readonly databaseUrl: string;
  readonly logPath: string;
  readonly site: string;
  /** The central office; left out, the mirror has what the factory itself says. */
  readonly office?: { readonly url: string; readonly tokenFile: string };
  readonly clock: Clock;
  readonly logger: Logger;
  readonly onReady?: () => void;
}

/** A mirror writes for one factory: eleven projections' loops, their locks, and some to spare. */
const CONNECTIONS_MAX = 16;

/**
 * Keeps a factory's own PostgreSQL: the same schema as the cloud's, filled from the box's log, and from the office when there is a line.
 * @throws EdgeError DATABASE_UNAVAILABLE, DATABASE_REFUSED, LOG_UNAVAILABLE
 */
export async function runMirror(options: RunMirrorOptions, signal: AbortSignal): Promise<void> {
  const { databaseUrl, logPath, site, office, clock, logger } = options;
  const log = openFollowingReader(logPath);
  try {
    await using database = new Database({
      url: databaseUrl,
      connectionsMax: CONNECTIONS_MAX,
      applicationName: "tailstock mirror",
    });
    await migrate(database);
    await using store = createPostgresEventStore({ database, clock, logger });
    await store.ensure(signal);
    const supervisor = new Supervisor({ clock, logger });
    const cloud = office && { queryUrl: office.url, token: { file: office.tokenFile } };
    const common = { database, store, clock, logger };
    for (const part of [
      new Mirror({ ...common, log, site, ...(cloud === undefined ? {} : { cloud }) }),
      new ProjectionRunner(common),
      new Repacker({ database, clock, logger }),
      new StoreKeeper({ database, clock, logger }),
    ])
      supervisor.supervise(part);
    const running = supervisor.run(signal);
    options.onReady?.();
    await running;
  } finally {
    log.close();
  }
}
