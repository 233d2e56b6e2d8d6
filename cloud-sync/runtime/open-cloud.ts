import type { Logger } from "pino";
import type { Clock } from "../../edge/kernel/clock.ts";
import type { CloudConfig } from "../config/model.ts";
import { Database } from "../database/database.ts";
import { type EmbeddedPostgres, startEmbeddedPostgres } from "../database/embedded/embedded-postgres.ts";
import { migrate } from "../database/migrate.ts";
import type { EventStore } from "../store/event-store.ts";

const DATABASE = "tailstock";

export interface OpenCloudOptions {
  /** Use an embedded server that runs, and leave it running. */
  readonly guest?: boolean;
  readonly connectionsMax?: number;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

export interface OpenedCloud extends AsyncDisposable {
  readonly database: Database;
  readonly store: EventStore;
  /** The server of our own; undefined when there is another. */
  readonly server: EmbeddedPostgres | undefined;
}

/**
 * Opens what all parts of the cloud side stand on: the database, migrated, and the event store, with everything that it needs in place.
 * @throws EdgeError DATABASE_UNAVAILABLE, DATABASE_REFUSED, STORE_UNAVAILABLE, STORE_REFUSED
 */
export async function openCloud(config: CloudConfig, options: OpenCloudOptions): Promise<OpenedCloud> {
  const { clock, logger, signal } = options;
  await using opened = new AsyncDisposableStack();
  let server: EmbeddedPostgres | undefined;
  if (config.database.kind === "embedded") {
    const { folder, port } = config.database;
    server = await startEmbeddedPostgres({
      folder,
      ...(port === undefined ? {} : { port }),
      guest: options.guest ?? false,
      logger,
    });
    opened.use(server);
  }
  const url = config.database.kind === "url" ? config.database.url : ((await server?.url(DATABASE)) ?? "");
  const database = opened.use(
    new Database({
      url,
      applicationName: "tailstock",
      ...(options.connectionsMax === undefined ? {} : { connectionsMax: options.connectionsMax }),
    }),
  );
  await migrate(database);
  const store = opened.use(await openStore(config, database, clock, logger));
  await store.ensure(signal);
  const all = opened.move();
  return { database, store, server, [Symbol.asyncDispose]: () => all.disposeAsync() };
}

async function openStore(config: CloudConfig, database: Database, clock: Clock, logger: Logger): Promise<EventStore> {
  const { store } = config;
  if (store.kind === "postgres") {
    const { createPostgresEventStore } = await import("../store/postgres/postgres-event-store.ts");
    return createPostgresEventStore({ database, telemetryDays: store.telemetryDays, clock, logger });
  }
  const { createCosmosEventStore } = await import("../store/cosmos/cosmos-event-store.ts");
  const { endpoint, key, throughputMax } = store;
  const throughput = throughputMax === undefined ? {} : { throughput: { autoscaleMax: throughputMax } };
  return createCosmosEventStore({ endpoint, key, database: store.database, clock, logger, ...throughput });
}
