import { rm } from "node:fs/promises";
import type { Logger } from "pino";
import type { Clock } from "../../edge/kernel/clock.ts";
import type { Component } from "../../edge/kernel/component.ts";
import { FailureLog } from "../../edge/kernel/failure-log.ts";
import type { Database } from "../database/database.ts";
import type { Container, Continuation, EventStore } from "../store/event-store.ts";
import { BatchFiles, type StagedFile } from "./batch-files.ts";
import { BATCH_ROWS_MAX, type Batch, FeedFollower, type FeedRange } from "./feed-batch.ts";
import { LakeCatalog, LOCKS } from "./lake-catalog.ts";
import { LakeCommit } from "./lake-commit.ts";
import { LakeLock } from "./lake-lock.ts";
import type { LakeFiles } from "./place/lake-files.ts";
import { filesOf, type LakePlace } from "./place/place.ts";
import { writeBatch } from "./write-batch.ts";

export interface LakeWriterOptions {
  readonly store: EventStore;
  readonly database: Database;
  readonly place: LakePlace | LakeFiles;
  readonly clock: Clock;
  readonly logger: Logger;
  /** How long readings gather in the store before they become files; a backlog is written without waiting. */
  readonly flushMs?: number;
  /** Readings of one batch. */
  readonly rowsMax?: number;
  /** How often small files are merged; 0 is never. */
  readonly compactMs?: number;
}

const FLUSH_MS = 300_000;
const COMPACT_MS = 3_600_000;
const CONTAINERS: readonly Container[] = ["telemetry", "scored_telemetry"];
/** Of zstd: the fastest that is small; merged files get more. */
const LEVEL = 3;

/**
 * Keeps everything without time to live: follows the event store's feed and writes it into the lake, each event once (lake-commit.ts).
 * Several may be started; one works, the others wait for its lock.
 */
export class LakeWriter implements Component {
  readonly name = "lake";
  readonly #options: LakeWriterOptions;
  readonly #files: LakeFiles;
  readonly #catalog: LakeCatalog;
  readonly #commit: LakeCommit;
  readonly #feed: FeedFollower;
  readonly #compactions: FailureLog;

  constructor(options: LakeWriterOptions) {
    this.#options = options;
    this.#files = "put" in options.place ? options.place : filesOf(options.place);
    this.#catalog = new LakeCatalog(options.database);
    this.#commit = new LakeCommit(this.#catalog, this.#files, "writer");
    this.#compactions = new FailureLog(options.logger, options.clock, { component: "lake", work: "merging files" });
    this.#feed = new FeedFollower(options.store, options.rowsMax ?? BATCH_ROWS_MAX);
  }

  async run(signal: AbortSignal, ready: () => void): Promise<void> {
    const { database, clock, logger, flushMs = FLUSH_MS, compactMs = COMPACT_MS } = this.#options;
    try {
      const first = await LakeLock.tryTake(database, LOCKS.writer);
      ready();
      await using lock = first ?? (await LakeLock.take(database, LOCKS.writer, clock, signal));
      if (lock === undefined) return;
      const undone = await this.#commit.recover(signal);
      await this.#commit.removeReplaced(0, signal);
      logger.info({ place: this.#files.name, undone }, "the lake follows");
      let compactedMs = clock.monotonicMs();
      while (!signal.aborted) {
        lock.check();
        if (await this.#flush(signal)) continue;
        if (compactMs > 0 && clock.monotonicMs() - compactedMs >= compactMs) {
          await this.#compact(signal);
          compactedMs = clock.monotonicMs();
        }
        await clock.sleep(flushMs, signal);
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  /** What it can't do now it can do later: what is new goes on. */
  async #compact(signal: AbortSignal): Promise<void> {
    const { database, logger } = this.#options;
    try {
      const { compactLake } = await import("./compact-lake.ts");
      await compactLake({ database, place: this.#files, logger, signal });
      this.#compactions.recovered();
    } catch (error) {
      if (!signal.aborted) this.#compactions.failed(error);
    }
  }

  /** Writes one batch. @returns whether there may be more at once */
  async #flush(signal: AbortSignal): Promise<boolean> {
    const { logger, clock } = this.#options;
    const batch = await this.#feed.next(await this.#checkpoints(signal), signal);
    if (batch.moves.length === 0) return false;
    const beganMs = clock.monotonicMs();
    const files = await this.#write(batch, signal);
    const rows = files.reduce((sum, file) => sum + file.rows, 0);
    const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
    const durationMs = Math.round(clock.monotonicMs() - beganMs);
    logger.debug({ documents: batch.documents.length, files: files.length, rows, bytes, durationMs }, "flushed");
    return batch.isFull;
  }

  async #write(batch: Batch, signal: AbortSignal): Promise<readonly StagedFile[]> {
    const stage = await this.#commit.stage();
    const files = new BatchFiles({ folder: stage.folder, name: stage.id, level: LEVEL });
    try {
      await writeBatch(batch.documents, files, this.#options.logger, signal);
    } catch (error) {
      await files.abandon();
      await rm(stage.folder, { recursive: true, force: true });
      throw error;
    }
    const staged = files.files();
    if (staged.length === 0) await this.#catalog.commit(undefined, [], batch.moves);
    else await this.#commit.publish(stage, staged, () => this.#catalog.commit(stage.id, staged, batch.moves), signal);
    return staged;
  }

  async #checkpoints(
    signal: AbortSignal,
  ): Promise<(FeedRange & { readonly continuation: Continuation | undefined })[]> {
    const all: (FeedRange & { continuation: Continuation | undefined })[] = [];
    for (const container of CONTAINERS) {
      const ranges = await this.#options.store.feedRanges(container, signal);
      const known = await this.#catalog.checkpoints(container, ranges);
      for (const range of ranges) all.push({ container, range, continuation: known.get(range) });
    }
    return all;
  }
}
