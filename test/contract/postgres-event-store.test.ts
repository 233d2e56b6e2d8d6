import { pino } from "pino";
import { Database } from "../../cloud-sync/database/database.ts";
import { createPostgresEventStore } from "../../cloud-sync/store/postgres/postgres-event-store.ts";
import { systemClock } from "../../edge/kernel/clock.ts";
import { testDatabase } from "../support/postgres.ts";
import { eventStoreContract } from "./event-store.ts";

eventStoreContract("PostgreSQL", async () => {
  const server = await testDatabase();
  const logger = pino({ level: "silent" });
  const store = createPostgresEventStore({ database: server.database, clock: systemClock, logger });
  await store.ensure(new AbortController().signal);
  const others: Database[] = [];
  return {
    store,
    reopen: async () => {
      const database = new Database({ url: server.url, connectionsMax: 2 });
      others.push(database);
      return createPostgresEventStore({ database, clock: systemClock, logger });
    },
    [Symbol.asyncDispose]: async () => {
      await store[Symbol.asyncDispose]();
      for (const database of others) await database[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
    },
  };
});
