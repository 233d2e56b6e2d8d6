import type { Logger } from "pino";
import type { Clock } from "../../edge/kernel/clock.ts";
import type { Database } from "../database/database.ts";
import { Batch, keyOf } from "./batch.ts";
import { beginPositions, movePositions, readPositions } from "./checkpoints.ts";
import type { Feed } from "./feed/feed.ts";
import type { FeedTail } from "./feed/feed-tail.ts";
import { mayBePoison, Poison } from "./poison.ts";
import type { Projection } from "./projection.ts";
import { isCurrent, markRebuilt, resetProjection } from "./reset.ts";
import { setAside } from "./unreadable.ts";

export interface LoopOptions {
  readonly projection: Projection;
  readonly feed: Feed;
  readonly database: Database;
  readonly clock: Clock;
  readonly logger: Logger;
}

const MAINTAIN_MS = 5 * 60_000;

/**
 * One projection on its way along the feed: reads what is new in all its ranges, writes it with the checkpoints in one transaction.
 * After any error what is in memory is forgotten and read anew.
 */
export class ProjectionLoop {
  readonly projection: Projection;
  readonly #feed: Feed;
  readonly #database: Database;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #poison = new Poison();
  #positions: Map<string, string | undefined> | undefined;
  #batch: Batch | undefined;
  #isPrepared = false;
  #isBehind = true;
  #maintainedMs = Number.NEGATIVE_INFINITY;
  /** Documents that were projected since it was made. */
  documents = 0;

  constructor({ projection, feed, database, clock, logger }: LoopOptions) {
    this.projection = projection;
    this.#feed = feed;
    this.#database = database;
    this.#clock = clock;
    this.#logger = logger;
  }

  /** Forgets what it knows of the tables: they may have been altered. */
  forget(): void {
    this.projection.forget?.();
    this.#positions = undefined;
    this.#batch = undefined;
    this.#isPrepared = false;
    this.#isBehind = true;
  }

  /**
   * Reads once, and writes when it is time.
   * @param isLast writes what there is without waiting for more
   * @returns whether there may be more at once
   * @throws EdgeError DATABASE_UNAVAILABLE, STORE_UNAVAILABLE, …; it may be called again then
   */
  async step(signal: AbortSignal, isLast = false): Promise<boolean> {
    try {
      await this.#prepare(signal);
      const isAtEnd = await this.#read(signal);
      const batch = this.#batch;
      if (batch !== undefined && !batch.isEmpty && (isLast || batch.isDue(this.#clock.monotonicMs())))
        await this.#write(batch);
      if (isAtEnd && this.#batch === undefined && this.#isBehind) {
        this.#isBehind = false;
        await markRebuilt(this.#database, this.projection.name);
      }
      return !isAtEnd;
    } catch (error) {
      const found = mayBePoison(error) && !signal.aborted ? await this.#lookForPoison(signal) : 0;
      this.forget();
      if (found === 0) throw error;
      return true;
    }
  }

  async #prepare(signal: AbortSignal): Promise<void> {
    if (!this.#isPrepared) {
      if (!(await isCurrent(this.#database, this.projection))) {
        this.#logger.info({ projection: this.projection.name }, "another version: it is made anew");
        await resetProjection(this.#database, this.projection, this.#clock.nowMs());
      }
      this.#isPrepared = true;
    }
    const nowMs = this.#clock.monotonicMs();
    if (nowMs - this.#maintainedMs >= MAINTAIN_MS) {
      await this.projection.maintain?.(this.#database, this.#clock.nowMs());
      this.#maintainedMs = nowMs;
    }
    if (this.#positions !== undefined) return;
    const { name } = this.projection;
    await beginPositions(this.#database, name, await this.#tails(signal));
    this.#positions = new Map(
      (await readPositions(this.#database, name)).map((each) => [keyOf(each), each.continuation]),
    );
  }

  /** @returns whether it came to the end of all ranges */
  async #read(signal: AbortSignal): Promise<boolean> {
    let isAtEnd = true;
    for (const tail of await this.#tails(signal)) {
      for (;;) {
        this.#batch ??= new Batch(this.projection, this.#clock.monotonicMs());
        const batch = this.#batch;
        if (batch.isFull) return false;
        const from = this.#positions?.get(keyOf(tail));
        const known = batch.nextOf(tail);
        const page = await tail.read(known === undefined ? from : known.next, signal);
        if (page === undefined) break;
        await batch.add(tail, page, from, {
          documents: this.#feed.documents,
          sql: this.#database,
          refused: (change) => this.#poison.reasonOf(change),
        });
        if (!page.hasMore) break;
        isAtEnd = false;
      }
    }
    if (this.#batch?.isEmpty) this.#batch = undefined;
    return isAtEnd;
  }

  async #tails(signal: AbortSignal): Promise<FeedTail[]> {
    const tails: FeedTail[] = [];
    for (const container of this.projection.containers) tails.push(...(await this.#feed.tails(container, signal)));
    return tails;
  }

  async #write(batch: Batch): Promise<void> {
    const { name } = this.projection;
    const moves = batch.moves;
    const fresh = await this.#database.transaction(async (sql) => {
      await movePositions(sql, name, moves);
      await this.projection.apply(batch.changes, sql);
      return setAside(sql, name, batch.unreadable);
    });
    for (const move of moves) this.#positions?.set(keyOf(move), move.next);
    this.#batch = undefined;
    this.documents += batch.documents;
    for (const { container, document, reason } of fresh) {
      const { partition, id } = document;
      this.#logger.warn({ projection: name, container, ...partition, id, reason }, "a document can't be read");
    }
  }

  /** The documents of the batch that failed, read again from the checkpoints. */
  async #lookForPoison(signal: AbortSignal): Promise<number> {
    this.forget();
    let found = 0;
    const positions = new Map(
      (await readPositions(this.#database, this.projection.name)).map((each) => [keyOf(each), each.continuation]),
    );
    for (const tail of await this.#tails(signal)) {
      const page = await tail.read(positions.get(keyOf(tail)), signal);
      const reads = (page?.documents ?? []).map((document) => this.#feed.documents.read(tail.container, document));
      const changes = reads.flatMap((read) => ("reason" in read ? [] : [read]));
      found += await this.#poison.look(
        this.projection,
        changes.filter((change) => this.#poison.reasonOf(change) === undefined),
        this.#database,
      );
    }
    return found;
  }
}
