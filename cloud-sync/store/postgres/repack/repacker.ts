import { setImmediate as nextTurn } from "node:timers/promises";
import type { Logger } from "pino";
import type { Clock } from "../../../../edge/kernel/clock.ts";
import type { Component } from "../../../../edge/kernel/component.ts";
import { messageOf } from "../../../../edge/kernel/errors.ts";
import { FailureLog } from "../../../../edge/kernel/failure-log.ts";
import type { Database } from "../../../database/database.ts";
import type { StoredDocument } from "../../event-store.ts";
import { readTelemetryDocument } from "../../read-telemetry.ts";
import { rangesOf } from "../feed-buckets.ts";
import { type Merge, mergeBlocks } from "./merge-blocks.ts";
import { PACKED, PackedBucket, type PlacedMerge } from "./packed-bucket.ts";
import { type Candidate, planRuns, REPACK_LIMITS, type RepackLimits } from "./plan-runs.ts";

export interface RepackerOptions {
  readonly database: Database;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly limits?: RepackLimits;
}

const ROUND_MS = 60_000;
const HELD_MS_MAX = 86_400_000;
/** Documents of a bucket that are looked at in one go, without their bodies. */
const CANDIDATES_MAX = 20_000;
/** Merged documents that are written in one transaction, for writers of the bucket wait for it. */
const MERGES_MAX = 16;

/** What a round has done. */
export interface RepackCounts {
  documentsBefore: number;
  documentsAfter: number;
}

/**
 * A live line sends a block of a few seconds every few seconds, and what is around such a block takes more than the block. Once all
 * readers of the feed have passed them, neighbouring blocks of a stream become one. The events that the feed gives from the beginning
 * on, and from where any reader stands, remain the same. Who reads a partition in pages by range() while it is packed may miss what
 * moves to a document before the page's end: such readers begin again behind the last event that they got.
 */
export class Repacker implements Component {
  readonly name = "repacker";
  readonly #database: Database;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #limits: RepackLimits;
  #holders: ReadonlySet<string> = new Set();

  constructor({ database, clock, logger, limits = REPACK_LIMITS }: RepackerOptions) {
    this.#database = database;
    this.#clock = clock;
    this.#logger = logger;
    this.#limits = limits;
  }

  async run(signal: AbortSignal, ready: () => void): Promise<void> {
    const failures = new FailureLog(this.#logger, this.#clock, { component: this.name });
    ready();
    while (!signal.aborted) {
      try {
        await this.round(signal);
        failures.recovered();
      } catch (error) {
        if (!signal.aborted) failures.failed(error);
      }
      await this.#clock.sleep(ROUND_MS, signal);
    }
  }

  /** Packs what there is to pack, in all ranges. @throws EdgeError DATABASE_UNAVAILABLE; what was done stays done */
  async round(signal: AbortSignal): Promise<RepackCounts> {
    const counts: RepackCounts = { documentsBefore: 0, documentsAfter: 0 };
    const holders = new Set<string>();
    for (const range of rangesOf(PACKED)) {
      const bucket = new PackedBucket(this.#database, range);
      while (await this.#step(bucket, counts, signal));
      for (const name of await bucket.heldBy(this.#clock.nowMs() - HELD_MS_MAX)) holders.add(name);
    }
    this.#tellHolders(holders);
    if (counts.documentsBefore > 0) this.#logger.debug({ ...counts }, "packed");
    return counts;
  }

  /** A reader that nobody runs any more costs space, until somebody sees it. */
  #tellHolders(holders: ReadonlySet<string>): void {
    for (const reader of holders)
      if (!this.#holders.has(reader))
        this.#logger.warn({ reader }, "a reader has not moved for a day: nothing is packed");
    for (const reader of this.#holders)
      if (!holders.has(reader)) this.#logger.info({ reader }, "the reader has moved: blocks are packed again");
    this.#holders = holders;
  }

  /** @returns whether there is more to look at */
  async #step(bucket: PackedBucket, counts: RepackCounts, signal: AbortSignal): Promise<boolean> {
    signal.throwIfAborted();
    const before = await bucket.doneTo();
    const candidates = await bucket.candidates(before, CANDIDATES_MAX);
    if (candidates.length === 0) return false;
    const isCut = candidates.length === CANDIDATES_MAX;
    const { runs, doneTo } = planRuns(candidates, this.#limits, { nowMs: this.#clock.nowMs(), isCut });
    let pending: PlacedMerge[] = [];
    const write = async (): Promise<void> => {
      const done = pending.length === 0 ? [] : await bucket.replace(pending);
      pending = [];
      counts.documentsAfter += done.length;
      counts.documentsBefore += done.reduce((sum, { sources }) => sum + sources.length, 0);
    };
    for (const run of runs) {
      signal.throwIfAborted();
      for (const merge of await this.#merge(bucket, run))
        pending.push({ ...merge, storedOn: (run[0] as Candidate).storedOn });
      if (pending.length >= MERGES_MAX) await write();
      // Encoding takes some ten milliseconds.
      await nextTurn();
    }
    await write();
    if (doneTo > before) await bucket.writeDoneTo(doneTo);
    return isCut && doneTo > before;
  }

  async #merge(bucket: PackedBucket, run: readonly Candidate[]): Promise<Merge[]> {
    const documents = await bucket.read(run);
    if (documents.length < run.length) return [];
    try {
      return mergeBlocks(documents);
    } catch (error) {
      const { stream, part, id } = run[0] as Candidate;
      this.#logger.warn({ stream, part, id, reason: messageOf(error) }, "a block can't be packed and stays as it is");
    }
    try {
      return mergeBlocks(documents.filter(isReadable));
    } catch {
      return [];
    }
  }
}

function isReadable(document: StoredDocument): boolean {
  try {
    readTelemetryDocument(document).events();
    return true;
  } catch {
    return false;
  }
}
