import { CosmosClient, type CosmosClientOptions, type PluginConfig } from "@azure/cosmos";
import type { Logger } from "pino";
import type { Clock } from "../../../edge/kernel/clock.ts";
import { EdgeError } from "../../../edge/kernel/errors.ts";
import type { Charges } from "./charges.ts";

export type CosmosEventStoreOptions = (
  | { /** https://….documents.azure.com:443/ */ readonly endpoint: string; readonly key: string }
  | { readonly connectionString: string }
) & {
  /** Its name within the account; made by `ensure`. */
  readonly database: string;
  readonly clock: Clock;
  readonly logger: Logger;
  /** RU/s that the containers share at most, where `ensure` makes the database; a serverless account has none. */
  readonly throughput?: { readonly autoscaleMax: number };
  /** Requests under way at once. */
  readonly parallelMax?: number;
};

/** A request without an answer for so long is given up. */
const REQUEST_MS_MAX = 20_000;

/** @throws EdgeError STORE_REFUSED when address or connection string are none */
export function clientOf(options: CosmosEventStoreOptions, charges: Charges): CosmosClient {
  const account =
    "connectionString" in options
      ? { connectionString: options.connectionString }
      : { endpoint: options.endpoint, key: options.key };
  const clientOptions: CosmosClientOptions & { readonly plugins: PluginConfig[] } = {
    ...account,
    userAgentSuffix: "tailstock",
    connectionPolicy: {
      requestTimeout: REQUEST_MS_MAX,
      // The SDK's own retries can't be aborted and last up to two minutes: attempt() waits for 429, callers back off from the rest.
      // The account's name leads to its write region, also after a failover.
      enableEndpointDiscovery: false,
      retryOptions: { maxRetryAttemptCount: 0, fixedRetryIntervalInMilliseconds: 0, maxWaitTimeInSeconds: 0 },
    },
    plugins: [charges.plugin],
  };
  try {
    return new CosmosClient(clientOptions);
  } catch (error) {
    throw new EdgeError("STORE_REFUSED", "the address or connection string of Cosmos DB is none", {
      cause: error,
      hint: "Copy the connection string anew from the portal.",
    });
  }
}
