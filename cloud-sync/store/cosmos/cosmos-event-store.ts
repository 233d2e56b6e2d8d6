import type { CosmosClient, Container as CosmosContainer } from "@azure/cosmos";
import { EdgeError } from "../../../edge/kernel/errors.ts";
import { FailureLog } from "../../../edge/kernel/failure-log.ts";
import {
  CONTAINERS,
  type CommitResult,
  type Container,
  type Continuation,
  type EventStore,
  type FeedPage,
  type Partition,
  type StoreCharges,
  type StoredDocument,
  type Transaction,
} from "../event-store.ts";
import { type CosmosEventStoreOptions, clientOf } from "./account.ts";
import { attempt, eachOf } from "./attempts.ts";
import { checkTransaction } from "./batch.ts";
import { Charges } from "./charges.ts";
import { ensureContainers } from "./containers.ts";
import { CosmosFeed } from "./feed.ts";
import { documentOf, type StoredItem } from "./item.ts";
import { itemIdOf } from "./item-id.ts";
import { partitionKeyOf } from "./partition-key.ts";
import { commitTransaction } from "./transactions.ts";

const PARALLEL_MAX = 32;
/** Of a read with status 404: the account's replica has not seen what this session wrote; the container is not there. */
const SESSION_NOT_AVAILABLE = 1002;
const OWNER_MISSING = 1003;

/** Nothing is asked of the account before a method is called. */
export function createCosmosEventStore(options: CosmosEventStoreOptions): EventStore {
  return new CosmosEventStore(options);
}

/** Events in Azure Cosmos DB for NoSQL, by its gateway. */
class CosmosEventStore implements EventStore {
  readonly name = "Cosmos DB";
  readonly #options: CosmosEventStoreOptions;
  readonly #client: CosmosClient;
  readonly #charges = new Charges();
  readonly #containers: ReadonlyMap<Container, CosmosContainer>;
  readonly #feeds: ReadonlyMap<Container, CosmosFeed>;
  readonly #failures: FailureLog;
  readonly #parallelMax: number;

  constructor(options: CosmosEventStoreOptions) {
    this.#options = options;
    this.#parallelMax = options.parallelMax ?? PARALLEL_MAX;
    this.#failures = new FailureLog(options.logger, options.clock, { store: "Cosmos DB" });
    this.#client = clientOf(options, this.#charges);
    const database = this.#client.database(options.database);
    this.#containers = new Map(CONTAINERS.map((name) => [name, database.container(name)]));
    this.#feeds = new Map([...this.#containers].map(([name, container]) => [name, new CosmosFeed(container)]));
  }

  async ensure(signal: AbortSignal): Promise<void> {
    const { database, throughput } = this.#options;
    await this.#attempt(signal, () => ensureContainers(this.#client, database, throughput?.autoscaleMax));
  }

  async commit(
    container: Container,
    transactions: readonly Transaction[],
    signal: AbortSignal,
  ): Promise<readonly CommitResult[]> {
    for (const transaction of transactions) checkTransaction(transaction);
    const byPartition = new Map<string, number[]>();
    for (const [index, { partition }] of transactions.entries()) {
      const key = partitionKeyOf(partition);
      const indexes = byPartition.get(key);
      if (indexes === undefined) byPartition.set(key, [index]);
      else indexes.push(index);
    }
    const results: CommitResult[] = new Array(transactions.length);
    await eachOf([...byPartition], this.#parallelMax, async ([, indexes]) => {
      for (const index of indexes)
        results[index] = await commitTransaction(
          this.#container(container),
          transactions[index] as Transaction,
          signal,
          (work) => this.#attempt(signal, work),
        );
    });
    return results;
  }

  async get(
    container: Container,
    keys: readonly { readonly partition: Partition; readonly id: string }[],
    signal: AbortSignal,
  ): Promise<readonly (StoredDocument | undefined)[]> {
    const items = this.#container(container);
    return eachOf(keys, this.#parallelMax, ({ partition, id }) =>
      this.#attempt(signal, async () => {
        const item = items.item(itemIdOf(id), partitionKeyOf(partition));
        const { resource, substatus } = await item.read<StoredItem>({ abortSignal: signal });
        if (resource !== undefined && resource !== null) return documentOf(resource);
        if (substatus === SESSION_NOT_AVAILABLE)
          throw new EdgeError(
            "STORE_UNAVAILABLE",
            "Cosmos DB has not yet brought this session's writes to the replica",
          );
        if (substatus === OWNER_MISSING)
          throw new EdgeError("STORE_REFUSED", `container ${container} is missing`, {
            hint: "Check the database's name in the configuration.",
          });
        return undefined;
      }),
    );
  }

  async range(
    container: Container,
    partition: Partition,
    { afterId = "", toId, limit }: { readonly afterId?: string; readonly toId?: string; readonly limit: number },
    signal: AbortSignal,
  ): Promise<readonly StoredDocument[]> {
    const items = this.#container(container).items;
    const upTo = toId === undefined ? "" : " AND c.id <= @to";
    const parameters = [
      { name: "@after", value: itemIdOf(afterId) },
      ...(toId === undefined ? [] : [{ name: "@to", value: itemIdOf(toId) }]),
    ];
    const found: StoredDocument[] = [];
    let continuationToken: string | undefined;
    while (found.length < limit) {
      const maxItemCount = limit - found.length;
      const page = await this.#attempt(signal, () =>
        items
          .query<StoredItem>(
            { query: `SELECT * FROM c WHERE c.id > @after${upTo} ORDER BY c.id`, parameters },
            {
              partitionKey: partitionKeyOf(partition),
              maxItemCount,
              abortSignal: signal,
              ...(continuationToken === undefined ? {} : { continuationToken }),
            },
          )
          .fetchNext(),
      );
      for (const item of page.resources ?? []) if (found.length < limit) found.push(documentOf(item));
      continuationToken = page.continuationToken;
      if (continuationToken === undefined) break;
    }
    return found;
  }

  async feedRanges(container: Container, signal: AbortSignal): Promise<readonly string[]> {
    return this.#attempt(signal, () => this.#feed(container).ranges());
  }

  async changes(
    container: Container,
    range: string,
    continuation: Continuation | undefined,
    limit: number,
    signal: AbortSignal,
  ): Promise<FeedPage> {
    return this.#attempt(signal, () => this.#feed(container).page(range, continuation, limit));
  }

  charges(): StoreCharges {
    return this.#charges.total();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#client.dispose();
  }

  async #attempt<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    const throttledBefore = this.#charges.total().throttled;
    const result = await attempt(this.#options.clock, signal, work);
    if (this.#charges.total().throttled > throttledBefore)
      this.#failures.failed(new EdgeError("STORE_UNAVAILABLE", "Cosmos DB is at its throughput: requests wait (429)"));
    else this.#failures.recovered();
    return result;
  }

  #container(name: Container): CosmosContainer {
    return this.#containers.get(name) as CosmosContainer;
  }

  #feed(name: Container): CosmosFeed {
    return this.#feeds.get(name) as CosmosFeed;
  }
}
