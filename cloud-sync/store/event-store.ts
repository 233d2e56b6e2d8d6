import type { JsonObject } from "../contract/event.ts";

/**
 * telemetry: what the factories send, 30 days. scored_telemetry: what the cloud's own models said of it, 30 days.
 * metadata: factories, machines, criteria, notes, work orders and the events that made them so, for ever.
 */
export const CONTAINERS = ["telemetry", "scored_telemetry", "metadata"] as const;
export type Container = (typeof CONTAINERS)[number];

/** Most that one document may take, body included, in every store (Cosmos DB: 2 MB an item, base64 and JSON around it). */
export const DOCUMENT_BYTES_MAX = 1_400_000;
/** Most that the documents of one transaction may take together (Cosmos DB: 2 MB a request). Both as document-bytes.ts counts. */
export const TRANSACTION_BYTES_MAX = 1_450_000;
/** Longest id of a document, in UTF-8 bytes (Cosmos DB: 1,023, of which what it forbids takes three each). */
export const ID_BYTES_MAX = 300;
/** Operations of one transaction (Cosmos DB: 100 a batch). */
export const OPERATIONS_MAX = 100;

/**
 * Where a document lives: everything atomic, and every order, is within one partition. `stream` is a machine's id (of metadata the
 * entity's id); `part` divides a stream that would outgrow a partition.
 */
export interface Partition {
  readonly stream: string;
  readonly part: string;
}

/** What is written. */
export interface NewDocument {
  /** Unique within the partition, not empty, ID_BYTES_MAX at most. Documents of a partition are ordered by it, by UTF-8 bytes. */
  readonly id: string;
  /** Tells readers what it is; lower-case word. */
  readonly kind: string;
  /** What can be read without the body. */
  readonly fields: JsonObject;
  readonly body?: Uint8Array;
  /** never: kept, whatever the container's time to live is. */
  readonly ttl?: "never";
  /** false: bookkeeping of the writer, which no reader of the feed gets. */
  readonly inFeed?: false;
}

export interface StoredDocument extends NewDocument {
  readonly partition: Partition;
  /** Opaque; another one after each write. */
  readonly etag: string;
  /** When the store took it, its own clock, UTC epoch ms, to the second at least. Nothing is ordered by it. */
  readonly storedMs: number;
}

export type Operation =
  /** Fails the transaction with "exists" when the id is taken. */
  | { readonly op: "create"; readonly document: NewDocument }
  /** Fails it with "changed" when the document is gone or has another etag. */
  | { readonly op: "replace"; readonly document: NewDocument; readonly etag: string }
  /** Whatever was there. */
  | { readonly op: "upsert"; readonly document: NewDocument }
  /** With an etag as replace; without, it is done when the document is gone already. */
  | { readonly op: "remove"; readonly id: string; readonly etag?: string };

/** All or nothing, in one partition; an id at most once; at most OPERATIONS_MAX operations. */
export interface Transaction {
  readonly partition: Partition;
  readonly operations: readonly Operation[];
}

export type CommitResult =
  /** etags of the operations in their order; "" of a remove. */
  | { readonly status: "done"; readonly etags: readonly string[] }
  /**
   * exists, changed: as Operation says; index of the operation. too-large: this document is over DOCUMENT_BYTES_MAX, or brings the
   * transaction over TRANSACTION_BYTES_MAX. Nothing was written.
   */
  | { readonly status: "exists" | "changed" | "too-large"; readonly index: number };

/** Where a reader of the feed stands; opaque, made by the store. undefined: at the beginning. */
export type Continuation = string;

export interface FeedPage {
  /** The newest version of each document that was written since; of one partition in the order of their last write. */
  readonly documents: readonly StoredDocument[];
  /** Behind this page; the same as before when there was nothing. */
  readonly continuation: Continuation | undefined;
  /** Whether there is more at once; else ask again after a while. */
  readonly hasMore: boolean;
}

/** What a store has cost: request units of Cosmos DB, by what they were for; 0 of a store that does not charge. */
export interface StoreCharges {
  readonly writeUnits: number;
  readonly readUnits: number;
  readonly feedUnits: number;
  /** Requests that were told to come later (429). */
  readonly throttled: number;
}

/**
 * Keeps documents and tells what has changed: only what Cosmos DB and PostgreSQL both can. test/contract/event-store.ts is the contract as
 * a suite, which runs over each adapter. All methods end with the signal's reason when it aborts.
 * - The feed gives the newest version of a document only, at least once; a removed or expired document is not in it: what readers must
 *   hear of is marked, not removed.
 * - There is no query over partitions.
 * @throws EdgeError STORE_UNAVAILABLE when trying again can help (429 is waited for within limits first), STORE_REFUSED when it can't
 */
export interface EventStore extends AsyncDisposable {
  /** For people and logs: "PostgreSQL", "Cosmos DB". */
  readonly name: string;
  /** Makes what is missing: containers with their time to live and indexing, tables. */
  ensure(signal: AbortSignal): Promise<void>;
  /** Each transaction by itself succeeds or not; they may be done together, in any order, of different partitions at once. */
  commit(
    container: Container,
    transactions: readonly Transaction[],
    signal: AbortSignal,
  ): Promise<readonly CommitResult[]>;
  /** In the order of the keys; undefined of those that are not there. */
  get(
    container: Container,
    keys: readonly { readonly partition: Partition; readonly id: string }[],
    signal: AbortSignal,
  ): Promise<readonly (StoredDocument | undefined)[]>;
  /** Documents of one partition by id, ascending, `afterId` excluded; at most `limit`. */
  range(
    container: Container,
    partition: Partition,
    options: { readonly afterId?: string; readonly toId?: string; readonly limit: number },
    signal: AbortSignal,
  ): Promise<readonly StoredDocument[]>;
  /** Names of the feed's ranges: each is followed by itself, together they are all documents. A name stays valid while it is followed. */
  feedRanges(container: Container, signal: AbortSignal): Promise<readonly string[]>;
  /** @param limit documents at most, a few more where a transaction may not be cut */
  changes(
    container: Container,
    range: string,
    continuation: Continuation | undefined,
    limit: number,
    signal: AbortSignal,
  ): Promise<FeedPage>;
  charges(): StoreCharges;
}
