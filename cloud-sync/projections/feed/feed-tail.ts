import type { Clock } from "../../../edge/kernel/clock.ts";
import type { Container, Continuation, EventStore, FeedPage } from "../../store/event-store.ts";
import { BoundedMap } from "../state/bounded-map.ts";

/** Documents of one page. */
const PAGE_DOCUMENTS = 128;
/** Bytes of bodies in the pages that one range keeps for those that come a little later. */
const PAGES_BYTES_MAX = 4 * 2 ** 20;
/** At the end of the feed it is looked at no more often than at first, and more and more seldom while nothing comes. */
const [POLL_MS_MIN, POLL_MS_MAX, POLL_GROWTH] = [100, 400, 1.3];

/** A page with the place at which it begins. */
export interface Page extends FeedPage {
  readonly after: Continuation | undefined;
}

/**
 * One range of the feed for all projections of the process: who asks for what another has just read gets the same page, and at the end
 * of the feed the store is asked once for all.
 */
export class FeedTail {
  readonly container: Container;
  readonly range: string;
  readonly #store: EventStore;
  readonly #clock: Clock;
  readonly #pages = new BoundedMap<string, Page>(PAGES_BYTES_MAX);
  readonly #underWay = new Map<string, Promise<Page>>();
  #end: { readonly key: string; readonly seenMs: number } | undefined;
  #pollMs = POLL_MS_MIN;
  #isWoken = false;

  constructor(store: EventStore, clock: Clock, container: Container, range: string) {
    this.#store = store;
    this.#clock = clock;
    this.container = container;
    this.range = range;
  }

  /** Something was stored: the next look comes soon. */
  wake(): void {
    this.#isWoken = true;
  }

  /**
   * What comes behind `after`; undefined when there is nothing now.
   * @throws EdgeError STORE_UNAVAILABLE, STORE_REFUSED
   */
  async read(after: Continuation | undefined, signal: AbortSignal): Promise<Page | undefined> {
    const key = after ?? "";
    const known = this.#pages.get(key);
    if (known !== undefined) return known;
    if (this.#isQuiet(key)) return undefined;
    let reading = this.#underWay.get(key);
    if (reading === undefined) {
      reading = this.#ask(after, key, signal).finally(() => this.#underWay.delete(key));
      this.#underWay.set(key, reading);
    }
    const page = await reading;
    return page.documents.length === 0 && page.continuation === after ? undefined : page;
  }

  #isQuiet(key: string): boolean {
    if (this.#end?.key !== key) return false;
    const waitMs = this.#isWoken ? POLL_MS_MIN : this.#pollMs;
    return this.#clock.monotonicMs() - this.#end.seenMs < waitMs;
  }

  async #ask(after: Continuation | undefined, key: string, signal: AbortSignal): Promise<Page> {
    this.#isWoken = false;
    const page = { ...(await this.#store.changes(this.container, this.range, after, PAGE_DOCUMENTS, signal)), after };
    const isEmpty = page.documents.length === 0;
    if (!isEmpty) {
      const bytes = page.documents.reduce((sum, { body }) => sum + 500 + (body?.length ?? 0), 0);
      this.#pages.set(key, page, bytes);
    }
    if (!page.hasMore) this.#end = { key: page.continuation ?? "", seenMs: this.#clock.monotonicMs() };
    this.#pollMs = isEmpty ? Math.min(POLL_MS_MAX, this.#pollMs * POLL_GROWTH) : POLL_MS_MIN;
    return page;
  }
}
