import type { Container, Continuation, EventStore, StoredDocument } from "../store/event-store.ts";
import type { Move } from "./lake-catalog.ts";
import { DAY_MS } from "./partition.ts";

/** Bodies of one batch, which wait in memory; a page of the feed more at most. */
export const BATCH_BYTES_MAX = 64 * 2 ** 20;
export const BATCH_DOCUMENTS_MAX = 20_000;
/** Readings of one batch, as far as documents say. */
export const BATCH_ROWS_MAX = 8_000_000;
/** Factories and days of one batch, as far as documents say: each becomes a file or two. */
export const BATCH_PARTITIONS_MAX = 256;
const PAGE_DOCUMENTS = 200;

export interface FeedRange {
  readonly container: Container;
  readonly range: string;
}

export interface Batch {
  readonly documents: readonly StoredDocument[];
  readonly moves: readonly Move[];
  /** Ended because it is large: there may be more at once. */
  readonly isFull: boolean;
}

/** What the feed has behind the checkpoints, until a bound is reached. */
export class FeedFollower {
  readonly #store: EventStore;
  readonly #rowsMax: number;
  /** Another range each time, so that none waits for ever behind a busy one. */
  #first = 0;

  constructor(store: EventStore, rowsMax = BATCH_ROWS_MAX) {
    this.#store = store;
    this.#rowsMax = rowsMax;
  }

  async next(
    checkpoints: readonly (FeedRange & { readonly continuation: Continuation | undefined })[],
    signal: AbortSignal,
  ): Promise<Batch> {
    const batch = new GrowingBatch(this.#rowsMax);
    const moves: Move[] = [];
    const first = this.#first++ % Math.max(1, checkpoints.length);
    for (const checkpoint of [...checkpoints.slice(first), ...checkpoints.slice(0, first)]) {
      if (batch.isFull) break;
      const { container, range, continuation: from } = checkpoint;
      let to = from;
      let documents = 0;
      for (let hasMore = true; hasMore && !batch.isFull; ) {
        const page = await this.#store.changes(container, range, to, PAGE_DOCUMENTS, signal);
        batch.add(page.documents);
        documents += page.documents.length;
        to = page.continuation;
        hasMore = page.hasMore;
      }
      if (to !== from) moves.push({ container, range, from, to, documents });
    }
    return { documents: batch.documents, moves, isFull: batch.isFull };
  }
}

class GrowingBatch {
  readonly documents: StoredDocument[] = [];
  readonly #rowsMax: number;
  readonly #partitions = new Set<string>();
  #bytes = 0;
  #rows = 0;

  constructor(rowsMax: number) {
    this.#rowsMax = rowsMax;
  }

  get isFull(): boolean {
    return (
      this.#bytes >= BATCH_BYTES_MAX ||
      this.documents.length >= BATCH_DOCUMENTS_MAX ||
      this.#rows >= this.#rowsMax ||
      this.#partitions.size >= BATCH_PARTITIONS_MAX
    );
  }

  add(documents: readonly StoredDocument[]): void {
    for (const document of documents) {
      this.documents.push(document);
      const { factoryId, samples, fromMs } = document.fields;
      this.#bytes += document.body?.length ?? 0;
      if (typeof samples === "number") this.#rows += samples;
      this.#partitions.add(`${factoryId} ${Math.floor(Number(fromMs) / DAY_MS)}`);
    }
  }
}
