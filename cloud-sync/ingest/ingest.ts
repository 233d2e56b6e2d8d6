import type { Logger } from "pino";
import { type BackoffOptions, backoffMs } from "../../edge/kernel/backoff.ts";
import type { Clock } from "../../edge/kernel/clock.ts";
import type { Component } from "../../edge/kernel/component.ts";
import { EdgeError } from "../../edge/kernel/errors.ts";
import { FailureLog } from "../../edge/kernel/failure-log.ts";
import type { Database } from "../database/database.ts";
import type { EventStore } from "../store/event-store.ts";
import { HubSession } from "./hub-session.ts";
import type { LaneOptions } from "./lane.ts";
import { MessageWriter, type TakenMessage, type WrittenMessages } from "./message-writer.ts";
import { Quarantine, type QuarantineOptions, type RefusedMessage } from "./quarantine.ts";
import { TelemetryWriter } from "./telemetry-writer.ts";

export interface IngestOptions {
  /** Of the Event Hubs-compatible endpoint, with EntityPath. */
  readonly eventsConnectionString: string;
  readonly consumerGroup: string;
  /** Tells workers of one consumer group apart in logs and at the hub. */
  readonly workerId: string;
  readonly store: EventStore;
  readonly database: Database;
  readonly clock: Clock;
  readonly logger: Logger;
  /** After so long without a sign of life a worker's partitions go to others. */
  readonly ownershipMs?: number;
  readonly quarantine?: Omit<QuarantineOptions, "database">;
  /** Called after each batch of which something was new. */
  readonly onStored?: () => void;
}

/** Since the start of this worker. */
export interface IngestCounts {
  readonly messages: number;
  readonly bytes: number;
  readonly documents: number;
  readonly events: number;
  readonly samples: number;
  readonly duplicates: number;
  readonly conflicts: number;
  /** Messages that went to the quarantine, whole or in part. */
  readonly refused: number;
  /** When the hub had taken the newest message that is stored, UTC epoch ms; 0 before the first. */
  readonly enqueuedMs: number;
}

const TELL_MS = 60_000;
const OWNERSHIP_MS = 5_000;
const RECONNECT: BackoffOptions = { baseMs: 500, maxMs: 15_000 };

/**
 * Hub → event store: every event that arrives at the hub is in the store once, in the container telemetry, or its message is in the
 * quarantine. Several workers share the partitions of a hub, and take over from one that dies.
 *
 * A checkpoint moves when the store has what came before it; so after any death messages come again, and what of them is here already
 * is found out by the store (telemetry-writer.ts). An error of the store or of the hub is waited for, a message that can't be stored is
 * set aside, whatever it is.
 */
export class Ingest implements Component {
  readonly name = "ingest";
  readonly #options: IngestOptions;
  readonly #writer: MessageWriter;
  readonly #quarantine: Quarantine;
  readonly #hubFailures: FailureLog;
  #untold = 0;
  #tellAtMs = Number.NEGATIVE_INFINITY;
  #counts: IngestCounts = {
    messages: 0,
    bytes: 0,
    documents: 0,
    events: 0,
    samples: 0,
    duplicates: 0,
    conflicts: 0,
    refused: 0,
    enqueuedMs: 0,
  };

  constructor(options: IngestOptions) {
    const { store, clock, database, logger, workerId } = options;
    this.#options = options;
    this.#writer = new MessageWriter({ store, writer: new TelemetryWriter({ store, clock }) });
    this.#quarantine = new Quarantine({ database, ...options.quarantine });
    this.#hubFailures = new FailureLog(logger, clock, { component: this.name, worker: workerId, of: "hub" });
  }

  counts(): IngestCounts {
    return this.#counts;
  }

  async run(signal: AbortSignal, ready: () => void): Promise<void> {
    const { clock } = this.#options;
    // A hub that does not answer is waited for, and nobody waits for it with us.
    ready();
    for (let attempt = 0; !signal.aborted; attempt++) {
      const startedMs = clock.monotonicMs();
      try {
        await this.#session().run(signal);
      } catch (error) {
        if (!(error instanceof EdgeError)) throw error;
        if (!signal.aborted) this.#hubFailures.failed(error);
      }
      if (clock.monotonicMs() - startedMs > 2 * RECONNECT.maxMs) attempt = 0;
      await clock.sleep(backoffMs(attempt, RECONNECT), signal);
    }
  }

  #session(): HubSession {
    const { eventsConnectionString, consumerGroup, workerId, database, clock, logger, ownershipMs } = this.#options;
    return new HubSession({
      eventsConnectionString,
      consumerGroup,
      workerId,
      ownershipMs: ownershipMs ?? OWNERSHIP_MS,
      database,
      clock,
      logger,
      failures: this.#hubFailures,
      laneOptions: (partition) => this.#laneOptions(partition),
    });
  }

  #laneOptions(partition: string): Omit<LaneOptions, "moved" | "crashed"> {
    const { clock, logger, workerId } = this.#options;
    return {
      writer: this.#writer,
      quarantine: this.#quarantine,
      clock,
      failures: new FailureLog(logger, clock, { component: this.name, worker: workerId, partition }),
      wrote: (messages, written) => this.#wrote(messages, written),
    };
  }

  #wrote(messages: readonly TakenMessage[], written: WrittenMessages): void {
    const { refused, ...more } = written;
    const before = this.#counts;
    this.#counts = {
      messages: before.messages + messages.length,
      bytes: before.bytes + messages.reduce((sum, { message }) => sum + message.body.length, 0),
      documents: before.documents + more.documents,
      events: before.events + more.events,
      samples: before.samples + more.samples,
      duplicates: before.duplicates + more.duplicates,
      conflicts: before.conflicts + more.conflicts,
      refused: before.refused + refused.length,
      enqueuedMs: Math.max(before.enqueuedMs, messages.at(-1)?.message.enqueuedMs ?? 0),
    };
    this.#tellRefused(refused);
    if (written.documents > 0) this.#options.onStored?.();
  }

  /** The first at once, then how many there were, a line a minute at most: somebody may send nothing else. */
  #tellRefused(refused: readonly RefusedMessage[]): void {
    const { clock, logger, workerId } = this.#options;
    this.#untold += refused.length;
    const last = refused.at(-1);
    if (last === undefined || clock.monotonicMs() < this.#tellAtMs) return;
    const { code, reason } = last.refusals[0] ?? {};
    const { deviceId, partition, sequenceNumber } = last.message;
    logger.warn(
      {
        component: this.name,
        worker: workerId,
        messages: this.#untold,
        deviceId,
        partition,
        sequenceNumber,
        code,
        reason,
      },
      "messages that can't be stored are set aside: tailstock cloud quarantine list",
    );
    this.#untold = 0;
    this.#tellAtMs = clock.monotonicMs() + TELL_MS;
  }
}
