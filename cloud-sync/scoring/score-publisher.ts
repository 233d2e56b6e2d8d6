import { type EventData, EventHubProducerClient } from "@azure/event-hubs";
import type { Logger } from "pino";
import { backoffMs } from "../../edge/kernel/backoff.ts";
import type { Clock } from "../../edge/kernel/clock.ts";
import { EdgeError, messageOf } from "../../edge/kernel/errors.ts";
import { FailureLog } from "../../edge/kernel/failure-log.ts";
import { BlockError } from "../contract/block/block-error.ts";
import type { StoredEvent } from "../contract/event.ts";
import { EVENTS_CONTENT_TYPE, encodeEvents } from "../contract/frame/events-json.ts";
import { FrameError } from "../contract/frame/frame-error.ts";
import type { Database } from "../database/database.ts";
import type { EventStore, StoredDocument } from "../store/event-store.ts";
import { readTelemetryDocument } from "../store/read-telemetry.ts";
import { SCORE_EPOCH_PREFIX } from "../store/telemetry-document.ts";
import { FeedReader } from "./feed-reader.ts";
import { moveCheckpoints, readCheckpoints } from "./scoring-checkpoint.ts";
import { ScoringLock } from "./scoring-lock.ts";

export interface ProducerOptions {
  /** Endpoint=sb://… of the namespace or of the Event Hub itself. */
  readonly connectionString: string;
  /** Left out where the connection string names it (EntityPath). */
  readonly eventHub?: string | undefined;
}

export interface ScorePublisherOptions {
  readonly store: EventStore;
  readonly database: Database;
  readonly producer: ProducerOptions;
  readonly clock: Clock;
  readonly logger: Logger;
}

const READER = "scoring-producer";
const IDLE_MS = 500;
const NOT_HELD_MS = 1_000;
const BACKOFF = { baseMs: 500, maxMs: 30_000 };
const RETRY = { maxRetries: 1, timeoutInMs: 10_000, retryDelayInMs: 500 } as const;
/** A message of one event; one that is larger is not sent. */
const EVENT_BYTES_MAX = 200_000;
/** Machines share this many partition keys, so that a machine's messages stay in their order and batches are few. */
const KEYS = 16;

/**
 * Sends what the cloud's models said to an Event Hub: one message an event, as JSON in the form of priority messages. It follows the feed
 * of scored_telemetry with a checkpoint of its own: only what the store has is sent, at least once, and scoring never waits for it.
 */
export class ScorePublisher {
  readonly #options: ScorePublisherOptions;
  readonly #reader: FeedReader;
  sent = 0;

  constructor(options: ScorePublisherOptions) {
    this.#options = options;
    this.#reader = new FeedReader(options.store, "scored_telemetry");
  }

  async run(signal: AbortSignal): Promise<void> {
    const { database, clock, logger } = this.#options;
    const failures = new FailureLog(logger, clock, { component: READER });
    await using lock = new ScoringLock(database, 2);
    let client: EventHubProducerClient | undefined;
    let [attempt, isBegun] = [0, false];
    while (!signal.aborted) {
      try {
        if (!(await lock.held())) {
          await clock.sleep(NOT_HELD_MS, signal);
          continue;
        }
        if (!isBegun) this.#reader.begin(await readCheckpoints(database, READER, "scored_telemetry"));
        isBegun = true;
        client ??= this.#open();
        const hasMore = await this.#step(client, signal);
        attempt = 0;
        failures.recovered();
        if (!hasMore) await clock.sleep(IDLE_MS, signal);
      } catch (error) {
        if (signal.aborted) break;
        isBegun = false;
        failures.failed(eventsError(error));
        await client?.close().catch(() => undefined);
        client = undefined;
        await clock.sleep(backoffMs(attempt++, BACKOFF), signal);
      }
    }
    await client?.close().catch(() => undefined);
  }

  #open(): EventHubProducerClient {
    const { connectionString, eventHub } = this.#options.producer;
    const options = { retryOptions: RETRY };
    return eventHub === undefined
      ? new EventHubProducerClient(connectionString, options)
      : new EventHubProducerClient(connectionString.replace(/;?EntityPath=[^;]*/i, ""), eventHub, options);
  }

  /** @returns whether there was something */
  async #step(client: EventHubProducerClient, signal: AbortSignal): Promise<boolean> {
    const documents = await this.#reader.read(signal);
    if (documents === undefined) return false;
    const byKey = Map.groupBy(documents.flatMap(eventsIn), ({ machineId }) => keyOf(machineId));
    for (const [partitionKey, events] of byKey) await this.#send(client, partitionKey, events, signal);
    const { steps } = this.#reader;
    await this.#options.database.transaction((sql) => moveCheckpoints(sql, READER, "scored_telemetry", steps));
    this.#reader.moved(steps);
    return true;
  }

  async #send(
    client: EventHubProducerClient,
    partitionKey: string,
    events: readonly StoredEvent[],
    abortSignal: AbortSignal,
  ): Promise<void> {
    let batch = await client.createBatch({ partitionKey, abortSignal });
    for (const event of events) {
      const message = messageFor(event);
      if (message === undefined || batch.tryAdd(message)) continue;
      await client.sendBatch(batch, { abortSignal });
      batch = await client.createBatch({ partitionKey, abortSignal });
      batch.tryAdd(message);
    }
    if (batch.count > 0) await client.sendBatch(batch, { abortSignal });
    this.sent += events.length;
  }
}

/** Of the cloud's models only; a damaged document is not sent. */
function eventsIn(document: StoredDocument): readonly StoredEvent[] {
  try {
    return readTelemetryDocument(document)
      .events()
      .filter(({ epoch }) => epoch.startsWith(SCORE_EPOCH_PREFIX));
  } catch (error) {
    if (error instanceof FrameError || error instanceof BlockError) return [];
    throw error;
  }
}

function messageFor(event: StoredEvent): EventData | undefined {
  const [message] = encodeEvents([event], EVENT_BYTES_MAX).messages;
  if (message === undefined) return undefined;
  const { epoch, machineId, seq, type } = event;
  return {
    body: message.body,
    contentType: EVENTS_CONTENT_TYPE,
    messageId: `${epoch}/${machineId}/${seq}`.slice(0, 128),
    properties: { type, machineId: machineId.slice(0, 512) },
  };
}

/** FNV-1a of the id, as one of the keys. */
function keyOf(machineId: string): string {
  let hash = 0x811c_9dc5;
  for (const byte of Buffer.from(machineId)) hash = Math.imul(hash ^ byte, 0x0100_0193);
  return `k${(hash >>> 0) % KEYS}`;
}

function eventsError(error: unknown): unknown {
  if (error instanceof EdgeError) return error;
  const { code } = error as { code?: unknown };
  const isIdentity =
    code === "UnauthorizedError" || /unauthorized|InvalidSignature|PutTokenFailed/i.test(messageOf(error));
  return new EdgeError(isIdentity ? "EVENTS_IDENTITY" : "EVENTS_UNREACHABLE", messageOf(error), {
    cause: error,
    hint: "Check the connection string of `scoring.producerFile` and the name of the Event Hub.",
  });
}
