import { setTimeout as delay } from "node:timers/promises";
import {
  EventHubConsumerClient,
  earliestEventPosition,
  type PartitionContext,
  type Subscription,
} from "@azure/event-hubs";
import type { Logger } from "pino";
import type { Clock } from "../../edge/kernel/clock.ts";
import { EdgeError } from "../../edge/kernel/errors.ts";
import type { FailureLog } from "../../edge/kernel/failure-log.ts";
import type { Sql } from "../database/database.ts";
import { PostgresCheckpointStore } from "./checkpoint-store.ts";
import { eventsFaultOf } from "./events-error.ts";
import { hubMessageOf } from "./hub-messages.ts";
import { Lane, type LaneOptions } from "./lane.ts";

export interface HubSessionOptions {
  readonly eventsConnectionString: string;
  readonly consumerGroup: string;
  readonly workerId: string;
  readonly ownershipMs: number;
  readonly database: Sql;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly failures: FailureLog;
  readonly laneOptions: (partition: string) => Omit<LaneOptions, "moved" | "crashed">;
}

/** Full messages of IoT Hub have 256 KB: so many may be under way for each partition. */
const BATCH_MESSAGES_MAX = 100;
const WAIT_S_MAX = 5;
const RETRY = { maxRetries: 3, retryDelayInMs: 300, maxRetryDelayInMs: 3_000, timeoutInMs: 10_000 } as const;
const LOOK_MS = 5_000;
/** Looks in a row that got no answer, after which the client is made anew. */
const DEAF_LOOKS_MAX = 3;
/** A partition that has more and gives nothing for so long: the client has lost it without a word. */
const SILENT_MS_MAX = 30_000;
const CLOSE_MS_MAX = 5_000;

/**
 * One client of the hub's events, from its beginning to its end: when the hub turns out to be another one under the same name, or the
 * client has lost it, run() returns, and another session goes on.
 */
export class HubSession {
  readonly #options: HubSessionOptions;
  readonly #client: EventHubConsumerClient;
  readonly #lanes = new Map<string, Lane>();
  readonly #heard = new Map<string, number>();
  readonly #positionsLost = new Set<string>();
  readonly #crashed = Promise.withResolvers<never>();
  #checkpoints: PostgresCheckpointStore | undefined;
  #hubKey = "";

  constructor(options: HubSessionOptions) {
    this.#options = options;
    this.#client = this.#newClient();
    this.#crashed.promise.catch(() => undefined);
  }

  /** @throws EdgeError EVENTS_UNREACHABLE, EVENTS_IDENTITY when it did not begin; what crashed a lane */
  async run(signal: AbortSignal): Promise<void> {
    let subscription: Subscription | undefined;
    const client = this.#client;
    let reader: EventHubConsumerClient | undefined;
    try {
      this.#hubKey = await this.#look();
      const { database, clock, consumerGroup, eventsConnectionString, logger, workerId } = this.#options;
      const checkpoints = new PostgresCheckpointStore({ database, clock, hubKey: this.#hubKey });
      this.#checkpoints = checkpoints;
      reader = new EventHubConsumerClient(consumerGroup, eventsConnectionString, checkpoints, this.#clientOptions());
      subscription = reader.subscribe(
        {
          processInitialize: async ({ partitionId }) => {
            logger.info({ worker: workerId, partition: partitionId }, "reads a partition");
            this.#heard.set(partitionId, clock.monotonicMs());
          },
          processEvents: async (events, context) => {
            this.#heard.set(context.partitionId, clock.monotonicMs());
            if (events.length === 0) return;
            this.#options.failures.recovered();
            const messages = events.map((event) => hubMessageOf(event, this.#hubKey, context.partitionId));
            await this.#lane(context).push(messages);
            this.#heard.set(context.partitionId, clock.monotonicMs());
          },
          processError: (error, context) => this.#failed(error, context),
          processClose: async (reason, { partitionId }) => {
            logger.info({ worker: workerId, partition: partitionId, reason }, "reads a partition no more");
            await this.#closeLane(partitionId);
          },
        },
        {
          startPosition: earliestEventPosition,
          maxBatchSize: BATCH_MESSAGES_MAX,
          prefetchCount: BATCH_MESSAGES_MAX,
          maxWaitTimeInSeconds: WAIT_S_MAX,
          skipParsingBodyAsJson: true,
        },
      );
      this.#options.failures.recovered();
      await Promise.race([this.#watch(signal), this.#crashed.promise]);
    } finally {
      await closed(() => subscription?.close());
      for (const partition of [...this.#lanes.keys()]) await this.#closeLane(partition);
      await closed(() => reader?.close());
      await closed(() => client.close());
    }
  }

  /** Names the hub as long as it is the same one. @throws EdgeError */
  async #look(): Promise<string> {
    try {
      const { name, createdOn } = await this.#client.getEventHubProperties();
      return `${name.slice(0, 80)}@${createdOn.getTime().toString(36)}`;
    } catch (error) {
      throw this.#faultOf(error);
    }
  }

  /** Until the signal aborts, or the session is over. */
  async #watch(signal: AbortSignal): Promise<void> {
    const { clock, failures, logger } = this.#options;
    let deaf = 0;
    for (;;) {
      await clock.sleep(LOOK_MS, signal);
      if (signal.aborted) return;
      try {
        const key = await this.#look();
        if (key !== this.#hubKey) {
          logger.warn({ was: this.#hubKey, is: key }, "the hub was made anew: reading it from its earliest event");
          return;
        }
        if (await this.#hasLost()) return;
        deaf = 0;
      } catch (error) {
        failures.failed(error);
        if (++deaf >= DEAF_LOOKS_MAX) return;
      }
    }
  }

  /** Whether a partition that is read here has more, and nothing comes. */
  async #hasLost(): Promise<boolean> {
    const { clock, logger } = this.#options;
    for (const [partition, lane] of this.#lanes) {
      const silentMs = clock.monotonicMs() - (this.#heard.get(partition) ?? 0);
      if (silentMs < SILENT_MS_MAX || lane.isFull) continue;
      const { lastEnqueuedSequenceNumber: last, isEmpty } = await this.#client.getPartitionProperties(partition);
      if (isEmpty || last <= lane.lastSequenceNumber) continue;
      logger.warn(
        { partition, silentMs, behind: last - lane.lastSequenceNumber },
        "a partition fell silent: connecting anew",
      );
      return true;
    }
    return false;
  }

  #lane(context: PartitionContext): Lane {
    const { partitionId } = context;
    let lane = this.#lanes.get(partitionId);
    if (lane === undefined) {
      const { fullyQualifiedNamespace, eventHubName, consumerGroup } = context;
      const place = { fullyQualifiedNamespace, eventHubName, consumerGroup, partitionId };
      lane = new Lane({
        ...this.#options.laneOptions(partitionId),
        moved: async ({ sequenceNumber, offset }) => {
          await this.#checkpoints?.updateCheckpoint({ ...place, sequenceNumber, offset });
        },
        crashed: (error) => this.#crashed.reject(error),
      });
      this.#lanes.set(partitionId, lane);
    }
    return lane;
  }

  async #closeLane(partition: string): Promise<void> {
    const lane = this.#lanes.get(partition);
    this.#lanes.delete(partition);
    await lane?.close();
  }

  async #failed(thrown: unknown, context: PartitionContext): Promise<void> {
    const { failures, logger, workerId } = this.#options;
    const fault = eventsFaultOf(thrown);
    const { partitionId: partition } = context;
    if (fault.kind === "stolen") {
      logger.info({ worker: workerId, partition }, "another worker has taken the partition over");
    } else if (fault.kind === "position") {
      if (!this.#positionsLost.has(partition))
        logger.warn({ partition }, "the hub's data was removed since the checkpoint: beginning at its earliest event");
      this.#positionsLost.add(partition);
      await this.#checkpoints?.forget(context).catch((error: unknown) => failures.failed(error));
    } else failures.failed(fault.error, partition === "" ? {} : { partition });
  }

  #faultOf(error: unknown): EdgeError {
    const fault = eventsFaultOf(error);
    return fault.kind === "failed" ? fault.error : new EdgeError("EVENTS_UNREACHABLE", String(error), { cause: error });
  }

  #newClient(): EventHubConsumerClient {
    const { consumerGroup, eventsConnectionString } = this.#options;
    try {
      return new EventHubConsumerClient(consumerGroup, eventsConnectionString, this.#clientOptions());
    } catch (cause) {
      throw new EdgeError("EVENTS_IDENTITY", `the connection string of the hub's events is none: ${String(cause)}`, {
        cause,
        hint: "Copy it anew from the hub's built-in endpoint; it needs Endpoint, SharedAccessKeyName, SharedAccessKey and EntityPath.",
      });
    }
  }

  #clientOptions() {
    const { ownershipMs, workerId } = this.#options;
    return {
      retryOptions: RETRY,
      identifier: workerId,
      loadBalancingOptions: {
        strategy: "greedy",
        updateIntervalInMs: Math.max(100, Math.floor(ownershipMs / 5)),
        partitionOwnershipExpirationIntervalInMs: ownershipMs,
      },
    } as const;
  }
}

/** A client that has lost its connection may never finish closing. */
async function closed(close: () => Promise<void> | undefined): Promise<void> {
  await Promise.race([Promise.resolve(close()).catch(() => undefined), delay(CLOSE_MS_MAX, undefined, { ref: false })]);
}
