import type {
  CommitResult,
  Container,
  Continuation,
  EventStore,
  FeedPage,
  Partition,
  StoreCharges,
  StoredDocument,
  Transaction,
} from "../../cloud-sync/store/event-store.ts";
import { EdgeError } from "../../edge/kernel/errors.ts";
import { uniform } from "./block-samples.ts";

/**
 * A store that now and then does not answer: before it has written, after it has, or after a part of it. What it does answer is true.
 */
export class ShakyStore implements EventStore {
  readonly name: string;
  failures = 0;
  readonly #inner: EventStore;
  readonly #next: () => number;
  readonly #share: number;

  /** @param share of the calls that fail */
  constructor(inner: EventStore, { seed, share }: { readonly seed: number; readonly share: number }) {
    this.name = inner.name;
    this.#inner = inner;
    this.#next = uniform(seed);
    this.#share = share;
  }

  async commit(
    container: Container,
    transactions: readonly Transaction[],
    signal: AbortSignal,
  ): Promise<readonly CommitResult[]> {
    const kind = this.#next() < this.#share ? Math.floor(this.#next() * 3) : -1;
    if (kind === 0) throw this.#failure();
    const part = kind === 1 ? transactions.slice(0, transactions.length >> 1) : transactions;
    const results = await this.#inner.commit(container, part, signal);
    if (kind >= 0) throw this.#failure();
    return results;
  }

  async get(
    container: Container,
    keys: readonly { readonly partition: Partition; readonly id: string }[],
    signal: AbortSignal,
  ): Promise<readonly (StoredDocument | undefined)[]> {
    if (this.#next() < this.#share) throw this.#failure();
    return this.#inner.get(container, keys, signal);
  }

  #failure(): EdgeError {
    this.failures++;
    return new EdgeError("STORE_UNAVAILABLE", "the store did not answer");
  }

  ensure(signal: AbortSignal): Promise<void> {
    return this.#inner.ensure(signal);
  }

  range(
    container: Container,
    partition: Partition,
    options: { readonly afterId?: string; readonly toId?: string; readonly limit: number },
    signal: AbortSignal,
  ): Promise<readonly StoredDocument[]> {
    return this.#inner.range(container, partition, options, signal);
  }

  feedRanges(container: Container, signal: AbortSignal): Promise<readonly string[]> {
    return this.#inner.feedRanges(container, signal);
  }

  changes(
    container: Container,
    range: string,
    continuation: Continuation | undefined,
    limit: number,
    signal: AbortSignal,
  ): Promise<FeedPage> {
    return this.#inner.changes(container, range, continuation, limit, signal);
  }

  charges(): StoreCharges {
    return this.#inner.charges();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#inner[Symbol.asyncDispose]() as Promise<void>;
  }
}
