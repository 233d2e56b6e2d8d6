import { randomUUID } from "node:crypto";
import { CosmosClient } from "@azure/cosmos";
import { pino } from "pino";
import { createCosmosEventStore } from "../../cloud-sync/store/cosmos/cosmos-event-store.ts";
import type { EventStore } from "../../cloud-sync/store/event-store.ts";
import { systemClock } from "../../edge/kernel/clock.ts";
import { startCosmosPeer } from "../support/cosmos-peer/cosmos-peer.ts";
import type { OpenedStore } from "./event-store/store-in-test.ts";
import { eventStoreContract } from "./event-store.ts";

const logger = pino({ level: "silent" });

eventStoreContract("Cosmos DB's SDK against a peer of our own", async () => {
  const peer = await startCosmosPeer();
  const opened = await openedAt(peer.endpoint, peer.key, "contract");
  return {
    ...opened,
    [Symbol.asyncDispose]: async () => {
      await opened[Symbol.asyncDispose]();
      await peer[Symbol.asyncDispose]();
    },
  };
});

// The same over a real account, in a database that is removed at the end. No real account was ever asked in this project's own runs.
const { TAILSTOCK_TEST_COSMOS_ENDPOINT: endpoint, TAILSTOCK_TEST_COSMOS_KEY: key } = process.env;
if (endpoint !== undefined && key !== undefined) {
  eventStoreContract("Cosmos DB, a real account", async () => {
    const database = `tailstock-test-${randomUUID()}`;
    const opened = await openedAt(endpoint, key, database);
    return {
      ...opened,
      [Symbol.asyncDispose]: async () => {
        await opened[Symbol.asyncDispose]();
        const client = new CosmosClient({ endpoint, key });
        await client.database(database).delete();
        client.dispose();
      },
    };
  });
}

async function openedAt(at: string, accountKey: string, database: string): Promise<OpenedStore> {
  const client = (): EventStore =>
    createCosmosEventStore({ endpoint: at, key: accountKey, database, clock: systemClock, logger });
  const store = client();
  await store.ensure(new AbortController().signal);
  return { store, reopen: async () => client(), [Symbol.asyncDispose]: () => store[Symbol.asyncDispose]() };
}
