import { type BackoffOptions, backoffMs } from "../../edge/kernel/backoff.ts";
import type { Clock } from "../../edge/kernel/clock.ts";
import { EdgeError } from "../../edge/kernel/errors.ts";
import type { FailureLog } from "../../edge/kernel/failure-log.ts";
import { Breather } from "./breather.ts";
import { type MessageWriter, type TakenMessage, takeMessage, type WrittenMessages } from "./message-writer.ts";
import type { Quarantine } from "./quarantine.ts";
import type { HubMessage } from "./read-message.ts";

export interface LaneOptions {
  readonly writer: MessageWriter;
  readonly quarantine: Quarantine;
  readonly clock: Clock;
  readonly failures: FailureLog;
  /** The store has everything up to and with this one. */
  readonly moved: (message: HubMessage) => Promise<void>;
  /** After each batch. */
  readonly wrote: (messages: readonly TakenMessage[], written: WrittenMessages) => void;
  /** A fault of the program: nothing of this lane goes on. */
  readonly crashed: (error: unknown) => void;
}

/** What waits in a lane at most: while a batch is written the next is read, and no more. */
const WAITING_BYTES_MAX = 8 * 1024 * 1024;
const WAITING_MESSAGES_MAX = 2_000;
const RETRY: BackoffOptions = { baseMs: 100, maxMs: 10_000 };
const CLOSE_MS_MAX = 3_000;
const MESSAGE_BYTES = 512;

/** One partition's way into the store, in its order: what is read is taken apart at once, and written in batches as large as have come. */
export class Lane {
  readonly #options: LaneOptions;
  /** Nothing more is begun. */
  readonly #closing = new AbortController();
  /** What is being done is given up. */
  readonly #ending = new AbortController();
  #waiting: TakenMessage[] = [];
  #bytes = 0;
  #bell = Promise.withResolvers<void>();
  #room = Promise.withResolvers<void>();
  readonly #running: Promise<void>;
  /** Of the last message that came; -1 before the first. */
  lastSequenceNumber = -1;

  constructor(options: LaneOptions) {
    this.#options = options;
    this.#running = this.#run().catch((error: unknown) => options.crashed(error));
  }

  get isFull(): boolean {
    return this.#bytes > WAITING_BYTES_MAX || this.#waiting.length > WAITING_MESSAGES_MAX;
  }

  /** Resolves when there is room for more. */
  async push(messages: readonly HubMessage[]): Promise<void> {
    const breather = new Breather();
    for (const message of messages) {
      if (this.#closing.signal.aborted) return;
      this.#waiting.push(takeMessage(message));
      this.#bytes += message.body.length + MESSAGE_BYTES;
      this.lastSequenceNumber = message.sequenceNumber;
      this.#bell.resolve();
      await breather.breathe();
    }
    while (!this.#closing.signal.aborted && this.isFull) await this.#room.promise;
  }

  /** What is being written is finished, within limits; what waits comes again, to whoever reads the partition next. */
  async close(): Promise<void> {
    this.#closing.abort();
    this.#bell.resolve();
    this.#room.resolve();
    const late = setTimeout(() => this.#ending.abort(), CLOSE_MS_MAX);
    await this.#running;
    clearTimeout(late);
    this.#ending.abort();
  }

  async #run(): Promise<void> {
    for (;;) {
      await this.#bell.promise;
      this.#bell = Promise.withResolvers();
      if (this.#closing.signal.aborted) return;
      const batch = this.#waiting;
      this.#waiting = [];
      this.#bytes = 0;
      this.#room.resolve();
      this.#room = Promise.withResolvers();
      if (batch.length > 0) await this.#writeBatch(batch);
    }
  }

  async #writeBatch(batch: readonly TakenMessage[]): Promise<void> {
    const { clock, failures, wrote } = this.#options;
    for (let attempt = 0; attempt === 0 || !this.#closing.signal.aborted; attempt++) {
      try {
        const written = await this.#attempt(batch);
        failures.recovered();
        wrote(batch, written);
        return;
      } catch (error) {
        if (this.#ending.signal.aborted) return;
        if (!(error instanceof EdgeError)) throw error;
        failures.failed(error);
        await clock.sleep(backoffMs(attempt, RETRY), this.#closing.signal);
      }
    }
  }

  async #attempt(batch: readonly TakenMessage[]): Promise<WrittenMessages> {
    const { writer, quarantine, moved } = this.#options;
    const written = await writer.write(batch, this.#ending.signal);
    if (written.refused.length > 0) await quarantine.add(written.refused);
    const last = batch.at(-1);
    if (last !== undefined) await moved(last.message);
    return written;
  }
}
