import type { Clock } from "../../../edge/kernel/clock.ts";
import type { Container, EventStore } from "../../store/event-store.ts";
import { DocumentCache } from "./document-cache.ts";
import { FeedTail } from "./feed-tail.ts";

/** The ranges of a container are asked for anew so often: Cosmos DB splits them as they grow. */
const RANGES_MS = 30_000;

/** The change feed as the projections of one process share it. */
export class Feed {
  readonly documents = new DocumentCache();
  readonly #store: EventStore;
  readonly #clock: Clock;
  readonly #tails = new Map<Container, { readonly tails: readonly FeedTail[]; readonly askedMs: number }>();

  constructor(store: EventStore, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  wake(): void {
    for (const { tails } of this.#tails.values()) for (const tail of tails) tail.wake();
  }

  /** @throws EdgeError STORE_UNAVAILABLE, STORE_REFUSED */
  async tails(container: Container, signal: AbortSignal): Promise<readonly FeedTail[]> {
    const known = this.#tails.get(container);
    const nowMs = this.#clock.monotonicMs();
    if (known !== undefined && nowMs - known.askedMs < RANGES_MS) return known.tails;
    const ranges = await this.#store.feedRanges(container, signal);
    const tails = ranges.map(
      (range) =>
        known?.tails.find((tail) => tail.range === range) ?? new FeedTail(this.#store, this.#clock, container, range),
    );
    this.#tails.set(container, { tails, askedMs: nowMs });
    return tails;
  }
}
