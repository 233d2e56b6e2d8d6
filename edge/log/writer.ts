import type Database from "better-sqlite3";
import type { NewEvent } from "../../cloud-sync/contract/event.ts";
import type { Clock } from "../kernel/clock.ts";
import { EdgeError } from "../kernel/errors.ts";
import { asLogError, openDatabase } from "./database.ts";
import type { LogStep } from "./event-log.ts";
import { problemOf } from "./event-problem.ts";
import { SqliteLogReader } from "./reader.ts";
import { EVENT_BYTES_SURE, fitsBlock } from "./seal/fits-block.ts";
import { ChainEncoder } from "./tail/chain-encoder.ts";
import { encodeChunk } from "./tail/chunk.ts";
import { toSlots } from "./tail/slots.ts";
import type { TailChunk } from "./tail/tail.ts";

/** Events that may wait for one commit; a producer that outruns the disk is told so instead of filling the memory. */
const PENDING_EVENTS_MAX = 50_000;
/** A chain begins anew after this many chunks: who reads one machine's newest events decodes no more than these. */
const CHAIN_CHUNKS_MAX = 256;

export interface WriterOptions {
  readonly path: string;
  readonly clock: Clock;
  /** Longest wait of an appended event for its commit. Default 250 ms. */
  readonly commitIntervalMs?: number;
  /** Offsets of a file that is made now begin after it. Default 0. */
  readonly offsetsFrom?: number;
  /** Called before and after each step that changes the file, so that a test can fail or die there. */
  readonly onStep?: (step: LogStep) => void;
}

interface Pending {
  readonly events: readonly NewEvent[];
  readonly resolve: (offset: number) => void;
  readonly reject: (error: EdgeError) => void;
}

/** The log as its producers see it: appends and cursors. Invariants: SPEC.md. */
export class SqliteLogWriter extends SqliteLogReader {
  protected readonly clock: Clock;
  protected readonly step: (step: LogStep) => void;
  readonly #commitIntervalMs: number;
  readonly #commitBatch: Database.Transaction<(batch: readonly Pending[]) => TailChunk>;
  #chain: { readonly first: number; readonly encoder: ChainEncoder } | undefined;
  #pending: Pending[] = [];
  #pendingEvents = 0;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;
  #runSinceMs: number;

  constructor({ path, clock, commitIntervalMs = 250, onStep, offsetsFrom = 0 }: WriterOptions) {
    super(openDatabase(path, { offsetsFrom }), path);
    this.clock = clock;
    this.step = onStep ?? (() => undefined);
    this.#commitIntervalMs = commitIntervalMs;
    this.#commitBatch = this.database.transaction((batch) => this.#insert(batch));
    this.#runSinceMs = clock.monotonicMs();
  }

  append(events: readonly NewEvent[], commit: "grouped" | "now" = "grouped"): Promise<number> {
    if (this.#closed) return Promise.reject(new EdgeError("LOG_CLOSED", "the log is closed"));
    const problem = problemOf(events);
    if (problem !== undefined) return Promise.reject(new EdgeError("EVENT_INVALID", problem));
    if (this.#pendingEvents + events.length > PENDING_EVENTS_MAX) {
      return Promise.reject(
        new EdgeError("LOG_UNAVAILABLE", `${this.#pendingEvents} events wait for their commit already`, {
          hint: "The disk is slower than the machines: check it.",
        }),
      );
    }
    return new Promise((resolve, reject) => {
      this.#pending.push({ events, resolve, reject });
      this.#pendingEvents += events.length;
      if (commit === "now") this.#commit();
      else this.#timer ??= setTimeout(() => this.#commit(), this.#commitIntervalMs);
    });
  }

  saveCursor(name: string, offset: number): void {
    if (this.#closed) throw new EdgeError("LOG_CLOSED", "the log is closed");
    try {
      this.blocks
        .statement(`
        INSERT INTO cursor (name, offset, updated_ms) VALUES (?, ?, ?)
        ON CONFLICT (name) DO UPDATE SET offset = excluded.offset, updated_ms = excluded.updated_ms`)
        .run(name, offset, Math.floor(this.clock.nowMs()));
    } catch (error) {
      throw asLogError(error, this.path);
    }
  }

  /**
   * Begins a new epoch: from here on no number can be mistaken for one that was given out before and lost.
   * @throws EdgeError LOG_FULL, LOG_UNAVAILABLE
   */
  beginEpoch(cause: string): void {
    try {
      // Beyond every cursor as well: who stands there has seen numbers that the file has no more.
      this.write(() => {
        const offsets = this.cursors().map(({ offset }) => offset);
        this.epochs.begin(Math.max(this.tail.head(), ...offsets), cause);
      });
      this.forget();
    } catch (error) {
      throw asLogError(error, this.path);
    }
  }

  /**
   * The next event's offset comes after `offset`, if it would not anyway; nothing may wait to be sealed.
   * @throws EdgeError LOG_FULL, LOG_UNAVAILABLE
   */
  skipOffsets(offset: number): void {
    try {
      this.write(() => {
        if (this.tail.chunks.length > 0) throw new EdgeError("LOG_UNAVAILABLE", "events wait to be sealed");
        this.blocks.statement("UPDATE mark SET sealed_offset = max(sealed_offset, ?)").run(offset);
      });
      this.forget();
    } catch (error) {
      throw asLogError(error, this.path);
    }
  }

  override close(): void {
    if (this.#closed) return;
    this.#commit();
    this.#closed = true;
    super.close();
  }

  /** One transaction of a writer: under the write lock, with the tail brought up to date. */
  protected write<T>(work: () => T): T {
    return this.database
      .transaction(() => {
        this.refresh();
        return work();
      })
      .immediate();
  }

  /** How long the log has been running in all, ms. */
  protected runMs(): number {
    const saved = this.blocks.statement("SELECT run_ms FROM mark").pluck().get() as number;
    return saved + this.clock.monotonicMs() - this.#runSinceMs;
  }

  /** What `runMs` gave is in the file: time is counted from here on. */
  protected runSaved(): void {
    this.#runSinceMs = this.clock.monotonicMs();
  }

  #commit(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const batch = this.#pending;
    if (batch.length === 0) return;
    this.#pending = [];
    this.#pendingEvents = 0;
    const error = this.#write(batch);
    if (error === undefined) return;
    // An event that can't be stored must not take its neighbours in the commit with it.
    const isOfDisk = error instanceof Error && "code" in error && error.code !== "EVENT_INVALID";
    const isTheirs = batch.length > 1 && !isOfDisk;
    for (const part of isTheirs ? batch.map((each) => [each]) : [batch]) {
      const failure = isTheirs ? this.#write(part) : error;
      if (failure !== undefined) for (const each of part) each.reject(asLogError(failure, this.path));
    }
  }

  /** One transaction; gives the error instead of throwing it. */
  #write(batch: readonly Pending[]): unknown {
    try {
      this.step("append");
      // IMMEDIATE: offsets are given out under the write lock, so that the order of offsets is the order of commits.
      const chunk = this.#commitBatch.immediate(batch);
      this.appended(chunk);
      this.step("appended");
      const head = this.tail.head();
      for (const each of batch) each.resolve(head);
      return undefined;
    } catch (error) {
      this.forget();
      return error ?? new Error("unknown");
    }
  }

  /** Appends events within a transaction of ours; what it gives goes to `appended` once that is committed. */
  protected insert(events: readonly NewEvent[]): TailChunk {
    return this.#insert([{ events }]);
  }

  protected appended(chunk: TailChunk): void {
    if (chunk.lastOffset >= chunk.firstOffset) this.tail.add(chunk);
    this.news.wake(this.tail.head());
  }

  /** What this process keeps in memory of the file may be wrong, and so may its chain. */
  protected override forget(): void {
    super.forget();
    this.#chain = undefined;
  }

  #insert(batch: readonly { readonly events: readonly NewEvent[] }[]): TailChunk {
    this.refresh();
    const number = this.tail.lastChunk + 1;
    const { encoder, first: chain } = this.#chainFor(number);
    const firstOffset = Math.max(this.tail.head() + 1, this.epochs.firstOffset);
    const lastSeqs = new Map<string, number>();
    let events = 0;
    encoder.beginChunk();
    for (const pending of batch) {
      for (const event of pending.events) {
        const seq = (lastSeqs.get(event.machineId) ?? this.tail.lastSeqs.get(event.machineId) ?? 0) + 1;
        lastSeqs.set(event.machineId, seq);
        const before = encoder.bytes;
        encoder.add(event, seq);
        if (encoder.bytes - before > EVENT_BYTES_SURE && !fitsBlock(event))
          throw new EdgeError("EVENT_INVALID", `an event of ${event.machineId} is larger than a block may be`);
        events++;
      }
    }
    const appendedMs = this.clock.nowMs();
    const head = { chain, firstOffset, events, samples: encoder.samples, appendedMs };
    const sections = encoder.takeSections();
    const { bytes, raw } = encodeChunk(head, sections, encoder.control.take(), encoder.values.take());
    const slots = events === 0 ? [] : this.tail.write(toSlots(number, bytes));
    this.step("appending");
    const { samples } = head;
    const lastOffset = firstOffset + events - 1;
    return { number, chain, firstOffset, lastOffset, samples, appendedMs, slots, sections, raw, isLost: false };
  }

  /** The chain that goes on, or a new one when it must not: after an error, a seal, or for its length. */
  #chainFor(number: number): { readonly first: number; readonly encoder: ChainEncoder } {
    const chain = this.#chain;
    if (chain && chain.first > this.tail.closedChunk && number - chain.first < CHAIN_CHUNKS_MAX) return chain;
    this.#chain = { first: number, encoder: new ChainEncoder() };
    return this.#chain;
  }
}
