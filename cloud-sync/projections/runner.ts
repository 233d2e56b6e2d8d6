import type { Logger } from "pino";
import { backoffMs } from "../../edge/kernel/backoff.ts";
import type { Clock } from "../../edge/kernel/clock.ts";
import type { Component } from "../../edge/kernel/component.ts";
import { FailureLog } from "../../edge/kernel/failure-log.ts";
import { Database } from "../database/database.ts";
import type { EventStore } from "../store/event-store.ts";
import { createProjections, PROJECTION_NAMES } from "./all-projections.ts";
import { Feed } from "./feed/feed.ts";
import { Ownership } from "./ownership.ts";
import { ProjectionLoop } from "./projection-loop.ts";

export interface RunnerOptions {
  readonly store: EventStore;
  /** Says where: the runner has connections of its own there, so that no projection waits for another's. */
  readonly database: Database;
  /** Names; all when left out. */
  readonly projections?: readonly string[];
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Between two looks at the feed while nothing comes; the feed itself is asked less often. */
const IDLE_MS = 40;
const NOT_OWNED_MS = 250;
/** For the locks, and for the sets of signals, which are written beside the transactions. */
const CONNECTIONS_BESIDE = 3;
const BACKOFF = { baseMs: 200, maxMs: 30_000 };

/**
 * Runs projections, each in a loop of its own, so that none waits for another. Several processes may run the same: each projection is
 * in one of them, and in another within a second after that dies. A projection that fails is tried again with growing pauses while the
 * others go on; nothing that one of them meets ends the component.
 */
export class ProjectionRunner implements Component {
  readonly name = "projections";
  readonly #options: RunnerOptions;
  readonly #feed: Feed;
  #loops: readonly ProjectionLoop[] = [];

  /** @throws EdgeError USAGE when there is no projection of a name */
  constructor(options: RunnerOptions) {
    this.#options = options;
    // Refuses names that there are not.
    createProjections(options);
    this.#feed = new Feed(options.store, options.clock);
  }

  /** Something was stored: the feed is looked at sooner. Cheap; for ingest in the same process. */
  notify(): void {
    this.#feed.wake();
  }

  /** Documents that each projection has taken since this process runs it. */
  progress(): ReadonlyMap<string, number> {
    return new Map(this.#loops.map(({ projection, documents }) => [projection.name, documents]));
  }

  async run(signal: AbortSignal, ready: () => void): Promise<void> {
    const { store, clock, logger, projections } = this.#options;
    const count = (projections ?? PROJECTION_NAMES).length;
    await using database = new Database({
      url: this.#options.database.url,
      connectionsMax: count + CONNECTIONS_BESIDE,
      applicationName: "tailstock projections",
    });
    const made = createProjections({ store, database, clock, ...(projections === undefined ? {} : { projections }) });
    const names = made.map(({ name }) => name);
    await using ownership = new Ownership(database, clock, names);
    this.#loops = made.map(
      (projection) => new ProjectionLoop({ projection, feed: this.#feed, database, clock, logger }),
    );
    ready();
    await Promise.all(this.#loops.map((loop) => this.#follow(loop, ownership, signal)));
  }

  async #follow(loop: ProjectionLoop, ownership: Ownership, signal: AbortSignal): Promise<void> {
    const { clock, logger } = this.#options;
    const { name } = loop.projection;
    const failures = new FailureLog(logger, clock, { component: this.name, projection: name });
    let [attempt, isOwned] = [0, false];
    while (!signal.aborted) {
      try {
        const isOurs = await ownership.has(name);
        if (isOurs !== isOwned) {
          isOwned = isOurs;
          loop.forget();
        }
        const hasMore = isOurs && (await loop.step(signal));
        attempt = 0;
        failures.recovered();
        if (!hasMore) await clock.sleep(isOurs ? IDLE_MS : NOT_OWNED_MS, signal);
      } catch (error) {
        if (signal.aborted) break;
        loop.forget();
        failures.failed(error);
        await clock.sleep(backoffMs(attempt++, BACKOFF), signal);
      }
    }
    // What was gathered is not written: it is read again from the checkpoint.
    loop.forget();
  }
}
