import type { Sql } from "../database/database.ts";
import type { Move, Position } from "./checkpoints.ts";
import type { DocumentCache, Unreadable } from "./feed/document-cache.ts";
import type { FeedTail, Page } from "./feed/feed-tail.ts";
import type { Change, Projection } from "./projection.ts";

/** Bodies of the documents that one batch holds. */
const BATCH_BYTES_MAX = 24 * 2 ** 20;
/** Readings of the documents that one batch holds: decoded, they take up to fifty times what they take in a block. */
const BATCH_SAMPLES_MAX = 1_000_000;
const BATCH_MAX = 500;

export function keyOf({ container, range }: { container: string; range: string }): string {
  return `${container} ${range}`;
}

/** What a projection has read and not yet written. */
export class Batch {
  readonly changes: Change[] = [];
  readonly unreadable: Unreadable[] = [];
  readonly #moves = new Map<string, Move>();
  readonly #projection: Projection;
  readonly #sinceMs: number;
  #documents = 0;
  #bytes = 0;
  #samples = 0;
  #isMuch = false;

  constructor(projection: Projection, sinceMs: number) {
    this.#projection = projection;
    this.#sinceMs = sinceMs;
  }

  get moves(): Move[] {
    return [...this.#moves.values()];
  }

  get documents(): number {
    return this.#documents;
  }

  get isEmpty(): boolean {
    return this.#moves.size === 0;
  }

  get isFull(): boolean {
    return (
      this.#isMuch ||
      this.#documents >= (this.#projection.batchMax ?? BATCH_MAX) ||
      this.#bytes >= BATCH_BYTES_MAX ||
      this.#samples >= BATCH_SAMPLES_MAX
    );
  }

  /** Whether it has waited long enough for more. */
  isDue(nowMs: number): boolean {
    return !this.isEmpty && (this.isFull || nowMs - this.#sinceMs >= (this.#projection.gatherMs ?? 0));
  }

  /** Where the next page of a range begins, as far as this batch knows. */
  nextOf(tail: FeedTail): { readonly next: string | undefined } | undefined {
    return this.#moves.get(keyOf(tail));
  }

  /**
   * @param refused why a document is to be passed over; undefined when it is not
   * @throws what the projection throws of a document that it gathers
   */
  async add(
    tail: FeedTail,
    page: Page,
    from: Position["continuation"],
    tools: {
      readonly documents: DocumentCache;
      readonly sql: Sql;
      readonly refused: (change: Change) => string | undefined;
    },
  ): Promise<void> {
    const changes: Change[] = [];
    for (const document of page.documents) {
      const read = tools.documents.read(tail.container, document);
      const reason = "reason" in read ? read.reason : tools.refused(read);
      if (reason !== undefined) this.unreadable.push({ container: tail.container, document, reason });
      else changes.push(read as Change);
      this.#bytes += document.body?.length ?? 0;
    }
    if (this.#projection.gather === undefined) {
      this.changes.push(...changes);
      for (const { telemetry } of changes) this.#samples += telemetry?.fields.samples ?? 0;
    } else if (changes.length > 0) this.#isMuch = await this.#projection.gather(changes, tools.sql);
    const key = keyOf(tail);
    const known = this.#moves.get(key);
    this.#moves.set(key, {
      container: tail.container,
      range: tail.range,
      continuation: known === undefined ? from : known.continuation,
      next: page.continuation,
      documents: (known?.documents ?? 0) + page.documents.length,
    });
    this.#documents += page.documents.length;
  }
}
