import type { Database } from "../database/database.ts";
import type { Container, EventStore } from "../store/event-store.ts";
import { PROJECTION_NAMES, projectionContainers } from "./all-projections.ts";

export interface ProjectionStatus {
  readonly name: string;
  /** rebuilding: it has not yet come to the end of the feed since it was made anew. */
  readonly state: "current" | "behind" | "rebuilding" | "never run";
  /** Documents that it has read since it was made anew. */
  readonly documents: number;
  /** How long the oldest document that it has not read has been in the store; 0 when there is none. */
  readonly lagMs: number;
  /** When it last moved, UTC epoch ms; null when it never did. */
  readonly movedMs: number | null;
  /** Documents that it had to pass over. */
  readonly unreadable: number;
}

/** A document is no lag before a projection has had its time to gather. */
const BEHIND_MS = 15_000;

/**
 * How far each projection is. Asks the feed once for each place at which a projection stands.
 * @throws EdgeError DATABASE_UNAVAILABLE, STORE_UNAVAILABLE
 */
export async function projectionStatus(
  database: Database,
  store: EventStore,
  signal: AbortSignal = AbortSignal.timeout(30_000),
  nowMs = Date.now(),
): Promise<ProjectionStatus[]> {
  const { rows: checkpoints } = await database.query<{
    projection: string;
    container: Container;
    feed_range: string;
    continuation: string | null;
    documents: number;
    moved_at: Date;
  }>("SELECT projection, container, feed_range, continuation, documents, moved_at FROM model.checkpoint");
  const { rows: known } = await database.query<{ name: string; rebuilding: boolean }>(
    "SELECT name, rebuilding FROM model.projection",
  );
  const { rows: unreadable } = await database.query<{ projection: string; count: number }>(
    "SELECT projection, count(*) AS count FROM app.unreadable_document GROUP BY projection",
  );
  const oldest = new Map<string, Promise<number>>();
  const lagAt = (container: Container, range: string, after: string | undefined): Promise<number> => {
    const key = JSON.stringify([container, range, after]);
    let lag = oldest.get(key);
    if (lag === undefined) {
      lag = store.changes(container, range, after, 1, signal).then(({ documents: [document] }) => {
        return document === undefined ? 0 : Math.max(1, nowMs - document.storedMs);
      });
      oldest.set(key, lag);
    }
    return lag;
  };
  return Promise.all(
    PROJECTION_NAMES.map(async (name): Promise<ProjectionStatus> => {
      const own = checkpoints.filter(({ projection }) => projection === name);
      const lags: number[] = [];
      for (const container of projectionContainers(name)) {
        for (const range of await store.feedRanges(container, signal)) {
          const at = own.find((each) => each.container === container && each.feed_range === range);
          lags.push(await lagAt(container, range, at?.continuation ?? undefined));
        }
      }
      const lagMs = Math.max(0, ...lags);
      const entry = known.find((each) => each.name === name);
      const state =
        entry === undefined ? "never run" : entry.rebuilding ? "rebuilding" : lagMs > BEHIND_MS ? "behind" : "current";
      return {
        name,
        state,
        documents: own.reduce((sum, { documents }) => sum + documents, 0),
        lagMs,
        movedMs: own.length === 0 ? null : Math.max(...own.map(({ moved_at }) => moved_at.getTime())),
        unreadable: unreadable.find(({ projection }) => projection === name)?.count ?? 0,
      };
    }),
  );
}
