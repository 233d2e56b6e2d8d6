import type { Sql } from "../database/database.ts";
import type { Container, StoredDocument } from "../store/event-store.ts";
import type { TelemetryDocument } from "../store/telemetry-document.ts";

/** A document of the feed as projections get it; decoded once for all of them. */
export interface Change {
  readonly container: Container;
  readonly document: StoredDocument;
  /** Of telemetry and scored_telemetry; undefined of metadata, and of a document that can't be read (which the runner tells). */
  readonly telemetry: TelemetryDocument | undefined;
}

/**
 * A read model. Each is a consumer of its own, with a checkpoint per feed range that moves in the transaction of `apply`; so what it
 * counts, it counts once. It is made anew by forgetting everything and reading the feed from the beginning, and then is the same: what
 * `apply` makes must depend on the documents alone, not on when they came, how they were cut into batches, or in which order those of
 * different partitions came.
 */
export interface Projection {
  /** As `tailstock cloud rebuild NAME` calls it. */
  readonly name: string;
  /** Another number rebuilds it at the next start. */
  readonly version: number;
  readonly containers: readonly Container[];
  /** Documents at most that one transaction takes. */
  readonly batchMax?: number;
  /** Waits so long for more before it takes a batch that is not full; 0 when left out. */
  readonly gatherMs?: number;
  /** The changes of one feed range, in its order. */
  apply(changes: readonly Change[], sql: Sql): Promise<void>;
  /** Forgets everything, what it keeps in memory included. */
  reset(sql: Sql): Promise<void>;
  /** Forgets what it keeps in memory: a transaction failed, or another process has taken over in between. */
  forget?(): void;
}
