import {
  type ChangeFeedIteratorResponse,
  type ChangeFeedPullModelIterator,
  ChangeFeedStartFrom,
  type Container as CosmosContainer,
  StatusCodes,
} from "@azure/cosmos";
import { EdgeError } from "../../../edge/kernel/errors.ts";
import type { Continuation, FeedPage } from "../event-store.ts";
import { documentOf, type StoredItem } from "./item.ts";

type Iterator = ChangeFeedPullModelIterator<StoredItem>;

/** Followers that are remembered between two pages: as many as a container may well have ranges, with several readers. */
const ITERATORS_MAX = 256;
/** Where the change feed of a container begins and ends: keys are hashed to hexadecimal numbers between these. */
const RANGE_NAME = /^([0-9A-F]*)-([0-9A-F]+)$/;

/**
 * The change feed of one container, pulled range by range. A continuation is the SDK's own token: it names the hashes of the range and
 * where each piece of it stands, so it stays valid when Cosmos DB splits or merges the physical partitions below.
 */
export class CosmosFeed {
  readonly #container: CosmosContainer;
  readonly #iterators = new Map<string, Iterator>();
  #rid: string | undefined;

  constructor(container: CosmosContainer) {
    this.#container = container;
  }

  async ranges(): Promise<readonly string[]> {
    const ranges = await this.#container.getFeedRanges();
    return ranges.map(({ minInclusive, maxExclusive }) => `${minInclusive}-${maxExclusive}`);
  }

  async page(range: string, continuation: Continuation | undefined, limit: number): Promise<FeedPage> {
    const from = continuation ?? (await this.#beginningOf(range));
    const key = `${limit} ${from}`;
    // An iterator costs a read of the container's definition when it begins: the one that made this continuation goes on.
    const iterator = this.#iterators.get(key) ?? this.#follow(from, limit);
    this.#iterators.delete(key);
    const page: ChangeFeedIteratorResponse<StoredItem[]> = await iterator.readNext();
    const isNews = page.statusCode === StatusCodes.Ok;
    const behind = isNews ? page.continuationToken : continuation;
    this.#remember(`${limit} ${behind ?? from}`, iterator);
    if (!isNews) return { documents: [], continuation, hasMore: false };
    const documents = page.result.filter(({ feed }) => feed !== false).map(documentOf);
    return { documents, continuation: behind, hasMore: true };
  }

  /** A token that has seen nothing. The SDK takes ranges only as objects of its own class, which a name can't be made into. */
  async #beginningOf(range: string): Promise<string> {
    const [, minInclusive, maxExclusive] = RANGE_NAME.exec(range) ?? [];
    if (maxExclusive === undefined)
      throw new EdgeError("STORE_REFUSED", `${range} is no range of a change feed of Cosmos DB`);
    this.#rid ??= (await this.#container.read()).resource?._rid;
    return JSON.stringify({ rid: this.#rid, Continuation: [{ minInclusive, maxExclusive, continuationToken: "" }] });
  }

  #follow(continuation: Continuation, limit: number): Iterator {
    return this.#container.items.getChangeFeedIterator<StoredItem>({
      maxItemCount: limit,
      changeFeedStartFrom: ChangeFeedStartFrom.Continuation(continuation),
    });
  }

  #remember(key: string, iterator: Iterator): void {
    this.#iterators.set(key, iterator);
    const oldest = this.#iterators.keys().next().value;
    if (this.#iterators.size > ITERATORS_MAX && oldest !== undefined) this.#iterators.delete(oldest);
  }
}
