import type { Logger } from "pino";
import type { Clock } from "../../edge/kernel/clock.ts";
import { systemClock } from "../../edge/kernel/clock.ts";
import { EdgeError } from "../../edge/kernel/errors.ts";
import { type Database, databaseError } from "../database/database.ts";
import type { EventStore } from "../store/event-store.ts";
import { createProjections } from "./all-projections.ts";
import { Feed } from "./feed/feed.ts";
import { tryLock } from "./ownership.ts";
import { ProjectionLoop } from "./projection-loop.ts";
import { resetProjection } from "./reset.ts";

export interface RebuildOptions {
  readonly store: EventStore;
  readonly database: Database;
  readonly signal: AbortSignal;
  readonly logger: Logger;
  readonly clock?: Clock;
  /** Documents so far. */
  readonly onProgress?: (documents: number) => void;
}

const WANTED_SECONDS = 10;
const LOOK_MS = 200;

/**
 * Makes a projection anew: takes it from the process that runs it, empties it, reads the feed from the beginning to its end, and gives
 * it back. What is there after a crash goes on where it was, by whichever process runs the projection next.
 *
 * Readers see the tables empty, then growing: a month of telemetry can't be replayed in one transaction. What a batch changes, they see
 * at once or not at all. What is older than the store keeps its documents stays (Projection.reset).
 * @returns documents that were read
 * @throws EdgeError USAGE when there is no projection of the name, DATABASE_UNAVAILABLE, STORE_UNAVAILABLE
 */
export async function rebuildProjection(name: string, options: RebuildOptions): Promise<number> {
  const { store, database, signal, logger, clock = systemClock, onProgress } = options;
  const [projection] = createProjections({ store, database, clock, projections: [name] });
  if (projection === undefined) throw new EdgeError("USAGE", `there is no projection ${name}`);
  const session = await database.connect();
  const want = (seconds: number): Promise<unknown> =>
    database.query(
      `INSERT INTO model.projection (name, version, wanted_until) VALUES ($1, $2, now() + $3 * interval '1 second')
       ON CONFLICT (name) DO UPDATE SET wanted_until = excluded.wanted_until`,
      [name, projection.version, seconds],
    );
  try {
    await want(WANTED_SECONDS);
    while (!(await tryLock(session, name))) {
      signal.throwIfAborted();
      await clock.sleep(LOOK_MS, signal);
      await want(WANTED_SECONDS);
    }
    await want(0);
    await resetProjection(database, projection, clock.nowMs());
    const loop = new ProjectionLoop({ projection, feed: new Feed(store, clock), database, clock, logger });
    while (await loop.step(signal, true)) {
      signal.throwIfAborted();
      onProgress?.(loop.documents);
    }
    onProgress?.(loop.documents);
    return loop.documents;
  } catch (error) {
    throw databaseError(error);
  } finally {
    // The session's end gives the lock back.
    session.release(true);
  }
}
