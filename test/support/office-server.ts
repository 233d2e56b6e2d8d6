import type { AddressInfo } from "node:net";
import Fastify, { type FastifyInstance } from "fastify";
import { pino } from "pino";
import { AccessControl } from "../../cloud-sync/services/access/access-control.ts";
import { changesRoutes } from "../../cloud-sync/services/query/routes/changes.ts";
import type { EventStore } from "../../cloud-sync/store/event-store.ts";
import { createPostgresEventStore } from "../../cloud-sync/store/postgres/postgres-event-store.ts";
import { systemClock } from "../../edge/kernel/clock.ts";
import { type TestDatabase, testDatabase } from "./postgres.ts";

const logger = pino({ level: "silent" });

/** What a mirror sees of a central office: a store with a database of its own, and the route that tells of its changes. */
export class OfficeServer implements AsyncDisposable {
  readonly store: EventStore;
  readonly access: AccessControl;
  readonly #database: TestDatabase;
  #app: FastifyInstance | undefined;
  #port = 0;

  constructor(database: TestDatabase) {
    this.#database = database;
    this.store = createPostgresEventStore({ database: database.database, clock: systemClock, logger });
    this.access = new AccessControl({
      database: database.database,
      config: { secure: false },
      clock: systemClock,
      logger,
    });
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  get app(): FastifyInstance {
    if (this.#app === undefined) throw new Error("the office is closed");
    return this.#app;
  }

  /** At the same port each time. */
  async open(): Promise<void> {
    const app = Fastify({ forceCloseConnections: true });
    await app.register(changesRoutes({ store: this.store, access: this.access }));
    await app.listen({ host: "127.0.0.1", port: this.#port });
    this.#port = (app.server.address() as AddressInfo).port;
    this.#app = app;
  }

  async close(): Promise<void> {
    await this.#app?.close();
    this.#app = undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
    await this.store[Symbol.asyncDispose]();
    await this.#database[Symbol.asyncDispose]();
  }
}

export async function officeServer(): Promise<OfficeServer> {
  const office = new OfficeServer(await testDatabase());
  await office.store.ensure(new AbortController().signal);
  await office.open();
  return office;
}
