import type { AddressInfo } from "node:net";
import type { FastifyInstance } from "fastify";
import { pino } from "pino";
import { AccessControl } from "../../cloud-sync/services/access/access-control.ts";
import { createQueryService } from "../../cloud-sync/services/query/service.ts";
import type { EventStore } from "../../cloud-sync/store/event-store.ts";
import { createPostgresEventStore } from "../../cloud-sync/store/postgres/postgres-event-store.ts";
import { systemClock } from "../../edge/kernel/clock.ts";
import { type TestDatabase, testDatabase } from "./postgres.ts";

const logger = pino({ level: "silent" });

/** What a mirror sees of a central office: its query service, over a store with a database of its own. */
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
    const { store, access } = this;
    const app = createQueryService({ database: this.#database.database, store, access, clock: systemClock, logger });
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
