import type { Logger } from "pino";
import type { Clock } from "../../edge/kernel/clock.ts";
import type { Database } from "../database/database.ts";
import { FOLLOWED_CONTAINERS, type FollowedContainer } from "../services/query/changes/schema.ts";
import type { EventStore } from "../store/event-store.ts";
import { applyChanges } from "./apply-changes.ts";
import { FeedCursors } from "./feed-cursors.ts";
import { OfficeClient, type OfficeOptions } from "./office-client.ts";

export interface OfficeFollowerOptions {
  readonly office: OfficeOptions;
  readonly site: string;
  readonly database: Database;
  readonly store: EventStore;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** How far a mirror is with what the central office has. */
export interface OfficeProgress {
  /** Documents written since the process runs. */
  readonly documents: number;
  /** Of those that this store could not take. */
  readonly refused: number;
}

const PAGE_DOCUMENTS = 50;

/** Brings into a mirror what the central office knows of its factory: metadata, and what the models of the fleet said. */
export class OfficeFollower {
  readonly #options: OfficeFollowerOptions;
  readonly #client: OfficeClient;
  readonly #cursors: FeedCursors;
  readonly #ranges = new Map<FollowedContainer, Map<string, string | undefined>>();
  #documents = 0;
  #refused = 0;

  constructor(options: OfficeFollowerOptions) {
    const { office, site, database, clock } = options;
    this.#options = options;
    this.#client = new OfficeClient(office);
    this.#cursors = new FeedCursors(database, `${office.queryUrl} ${site}`, clock);
  }

  progress(): OfficeProgress {
    return { documents: this.#documents, refused: this.#refused };
  }

  /** What is remembered of the cursors is read anew. */
  forget(): void {
    this.#ranges.clear();
  }

  /** A page of each range. @returns whether there is more at once @throws EdgeError of the line, store or database */
  async step(signal: AbortSignal): Promise<boolean> {
    let hasMore = false;
    for (const container of FOLLOWED_CONTAINERS) {
      const ranges = await this.#rangesOf(container, signal);
      for (const [range, continuation] of ranges)
        if (await this.#page(container, ranges, range, continuation, signal)) hasMore = true;
    }
    return hasMore;
  }

  async #page(
    container: FollowedContainer,
    ranges: Map<string, string | undefined>,
    range: string,
    continuation: string | undefined,
    signal: AbortSignal,
  ): Promise<boolean> {
    const { store, site, logger } = this.#options;
    const question = { container, range, continuation, limit: PAGE_DOCUMENTS, factory: site };
    const page = await this.#client.changes(question, signal);
    if (page === undefined) {
      // Another store stands behind the office now: everything is compared once more.
      logger.warn({ container, range }, "the office's feed begins anew");
      await this.#cursors.begin(container, await this.#client.ranges(container, signal));
      this.#ranges.delete(container);
      return false;
    }
    const { written, refused } = await applyChanges(store, container, page.documents, signal);
    if (refused > 0) logger.warn({ container, refused }, "documents of the office cannot be mirrored");
    this.#documents += written;
    this.#refused += refused;
    const behind = page.continuation ?? undefined;
    if (behind !== continuation) await this.#cursors.save(container, range, behind);
    ranges.set(range, behind);
    return page.hasMore;
  }

  async #rangesOf(container: FollowedContainer, signal: AbortSignal): Promise<Map<string, string | undefined>> {
    let ranges = this.#ranges.get(container) ?? (await this.#cursors.load(container));
    if (ranges.size === 0) {
      await this.#cursors.begin(container, await this.#client.ranges(container, signal));
      ranges = await this.#cursors.load(container);
    }
    this.#ranges.set(container, ranges);
    return ranges;
  }
}
