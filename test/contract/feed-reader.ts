import type { Container, EventStore, FeedPage, StoredDocument } from "../../cloud-sync/store/event-store.ts";

/** Where a reader stands in each range of the feed. */
export type Reader = Map<string, string | undefined>;

/** What a reader has got. */
export interface Followed {
  readonly documents: readonly StoredDocument[];
  readonly pages: readonly FeedPage[];
  readonly ranges: readonly string[];
  readonly reader: Reader;
}

/** Reads all ranges of a feed until each says that there is no more. */
export async function followed(
  store: EventStore,
  container: Container,
  from: ReadonlyMap<string, string | undefined> = new Map(),
  limit = 50,
): Promise<Followed> {
  const signal = new AbortController().signal;
  const ranges = await store.feedRanges(container, signal);
  const reader: Reader = new Map(from);
  const pages: FeedPage[] = [];
  for (const range of ranges) {
    for (let hasMore = true; hasMore; ) {
      const page = await store.changes(container, range, reader.get(range), limit, signal);
      reader.set(range, page.continuation);
      pages.push(page);
      hasMore = page.hasMore;
    }
  }
  return { documents: pages.flatMap((page) => page.documents), pages, ranges, reader };
}
