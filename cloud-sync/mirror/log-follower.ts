import type { Logger } from "pino";
import type { Clock } from "../../edge/kernel/clock.ts";
import type { LogReader } from "../../edge/log/event-log.ts";
import type { Database } from "../database/database.ts";
import { factoryOf } from "../ingest/arrival.ts";
import { TelemetryWriter } from "../ingest/telemetry-writer.ts";
import type { EventStore } from "../store/event-store.ts";
import { LogBatches } from "./log-batch.ts";
import { LogCursor, type LogPosition } from "./log-cursor.ts";

export interface LogFollowerOptions {
  readonly log: LogReader;
  readonly site: string;
  readonly database: Database;
  readonly store: EventStore;
  readonly clock: Clock;
  readonly logger: Logger;
  /** What is new is gathered for so long: a document a machine each time. */
  readonly gatherMs: number;
}

/** How far a mirror is with the log. */
export interface LogProgress {
  /** All events of the log up to here are stored; 0 before the first look. */
  readonly storedOffset: number;
  /** Where the log ended at the last look. */
  readonly headOffset: number;
  /** When the newest stored event happened, UTC epoch ms. */
  readonly newestMs: number | undefined;
  /** Since the process runs. */
  readonly events: number;
  readonly refused: number;
}

/** Brings a factory's own events into its mirror, each once: as ingest does in the cloud, without the cloud. */
export class LogFollower {
  readonly #options: LogFollowerOptions;
  readonly #cursor: LogCursor;
  readonly #batches: LogBatches;
  readonly #writer: TelemetryWriter;
  #position: LogPosition | undefined;
  #isLoaded = false;
  #newestMs: number | undefined;
  #headOffset = 0;
  #events = 0;
  #refused = 0;
  #steppedMs = Number.NEGATIVE_INFINITY;

  constructor(options: LogFollowerOptions) {
    const { database, site, log, store, clock } = options;
    this.#options = options;
    this.#cursor = new LogCursor(database, site, clock);
    this.#batches = new LogBatches(log, (machineId) => ({
      factoryId: factoryOf(machineId),
      deviceId: site,
      enqueuedMs: clock.nowMs(),
    }));
    this.#writer = new TelemetryWriter({ store, clock });
  }

  progress(): LogProgress {
    return {
      storedOffset: this.#position?.whole ?? 0,
      headOffset: this.#headOffset,
      newestMs: this.#newestMs,
      events: this.#events,
      refused: this.#refused,
    };
  }

  /** What is remembered of the cursor is read anew. */
  forget(): void {
    this.#isLoaded = false;
  }

  /** Stores what is there, then waits for more; ends on abort. @throws EdgeError of log, store or database */
  async step(signal: AbortSignal): Promise<void> {
    const { log, clock, logger, gatherMs } = this.#options;
    if (!this.#isLoaded) {
      this.#position = await this.#cursor.load();
      this.#isLoaded = true;
    }
    const earlyMs = this.#steppedMs + gatherMs - clock.monotonicMs();
    if (earlyMs > 0) await clock.sleep(earlyMs, signal);
    if (signal.aborted) return;
    const steppedMs = clock.monotonicMs();
    this.#headOffset = log.head();
    const { arrivals, behind, isLast, refusals, newestMs } = this.#batches.next(this.#position);
    const written = arrivals.length === 0 ? undefined : await this.#writer.write(arrivals, signal);
    const reasons = [...refusals, ...(written?.refusals ?? []).map(({ reason }) => reason)];
    if (reasons.length > 0)
      logger.warn({ count: reasons.length, first: reasons[0] }, "events of the log cannot be mirrored");
    if (!isSame(behind, this.#position)) await this.#cursor.save(behind);
    this.#position = behind;
    this.#events += written?.events ?? 0;
    this.#refused += reasons.length;
    if (newestMs !== undefined) this.#newestMs = Math.max(this.#newestMs ?? newestMs, newestMs);
    // A backlog goes without a pause.
    this.#steppedMs = isLast ? steppedMs : Number.NEGATIVE_INFINITY;
    if (isLast) await log.waitPast(behind.whole, signal);
  }
}

function isSame(a: LogPosition, b: LogPosition | undefined): boolean {
  return a.epoch === b?.epoch && a.whole === b.whole && a.blocks === b.blocks && a.rare === b.rare;
}
