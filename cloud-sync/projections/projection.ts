import type { Database, Sql } from "../database/database.ts";
import type { Container, StoredDocument } from "../store/event-store.ts";
import type { TelemetryDocument } from "../store/telemetry-document.ts";

/** A document of the feed as projections get it; decoded once for all of them. */
export interface Change {
  readonly container: Container;
  readonly document: StoredDocument;
  /** Of telemetry and scored_telemetry; undefined of metadata. */
  readonly telemetry: TelemetryDocument | undefined;
}

/**
 * A read model. Each is a consumer of its own, with a checkpoint per feed range that moves in the transaction of `apply`; so what it
 * counts, it counts once. It is made anew by forgetting everything and reading the feed from the beginning, and then is the same: what
 * it makes must depend on the documents alone, not on when they came, how they were cut into batches, in which order those of different
 * partitions came, or how often one came. Only one process at a time runs it, one batch after the other.
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
  /**
   * Of one that adds up in memory over gatherMs: takes the changes as they come, so that nobody has to hold them; `apply` then gets none
   * of them and writes what was gathered. `sql` is outside the transaction.
   * @returns whether so much is gathered that it should be written now
   */
  gather?(changes: readonly Change[], sql: Sql): Promise<boolean>;
  /** Changes of several feed ranges, those of each in its order. */
  apply(changes: readonly Change[], sql: Sql): Promise<void>;
  /**
   * Forgets everything, what it keeps in memory included, but what documents that may have expired have made: what is said of times
   * before `keepBeforeMs` (UTC epoch ms, the beginning of a day) stays. Documents of such times that are still there come again.
   */
  reset(sql: Sql, keepBeforeMs: number): Promise<void>;
  /** Forgets what it keeps in memory: a transaction failed, or another process has taken over in between. */
  forget?(): void;
  /** What is to be done now and then beside the feed; called before the first batch, then every few minutes. */
  maintain?(database: Database, nowMs: number): Promise<void>;
}
