import { setTimeout as delay } from "node:timers/promises";
import { EventHubConsumerClient, type ReceivedEventData } from "@azure/event-hubs";

/** A message as it came out of the hub. */
export interface HubMessage {
  readonly partition: string;
  readonly sequenceNumber: number;
  readonly enqueuedMs: number;
  readonly contentType: string;
  readonly body: Buffer;
  readonly properties: Readonly<Record<string, unknown>>;
}

const RESTART_MS = 200;
const BATCH_EVENTS_MAX = 200;

/**
 * Reads all partitions of a hub from their beginnings with Microsoft's client, each message once: after any error (the hub
 * was killed) a new client goes on behind the last message of each partition.
 */
export class HubConsumer implements AsyncDisposable {
  /** Errors since the beginning; a restarted hub makes some. */
  errors = 0;
  lastError = "";
  readonly #connectionString: string;
  readonly #accept: (message: HubMessage) => void;
  readonly #next = new Map<string, number>();
  readonly #ending = new AbortController();
  #running: Promise<void> | undefined;

  constructor(connectionString: string, accept: (message: HubMessage) => void) {
    this.#connectionString = connectionString;
    this.#accept = accept;
  }

  start(): this {
    this.#running ??= this.#run();
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ending.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#ending;
    while (!signal.aborted) {
      const failed = Promise.withResolvers<unknown>();
      const stop = (): void => failed.resolve(undefined);
      signal.addEventListener("abort", stop, { once: true });
      // One attempt and no more: what the client would do by itself after an error is done here, by position.
      const client = new EventHubConsumerClient("$Default", this.#connectionString, {
        retryOptions: { maxRetries: 0, timeoutInMs: 5_000, retryDelayInMs: 100 },
      });
      try {
        for (const partition of await client.getPartitionIds()) {
          client.subscribe(
            partition,
            {
              processEvents: async (events) => {
                for (const event of events) this.#take(partition, event);
              },
              processError: async (error) => failed.resolve(error),
            },
            {
              startPosition: this.#position(partition),
              maxBatchSize: BATCH_EVENTS_MAX,
              maxWaitTimeInSeconds: 1,
              skipParsingBodyAsJson: true,
            },
          );
        }
        const error = await failed.promise;
        if (error !== undefined) throw error;
      } catch (error) {
        this.errors++;
        this.lastError = String(error);
      }
      signal.removeEventListener("abort", stop);
      await Promise.race([client.close().catch(() => undefined), delay(2_000)]);
      if (!signal.aborted) await delay(RESTART_MS);
    }
  }

  #position(partition: string) {
    const next = this.#next.get(partition);
    return next === undefined ? { offset: "-1" } : { sequenceNumber: next, isInclusive: true };
  }

  #take(partition: string, event: ReceivedEventData): void {
    // A closed client may still deliver what it had at hand.
    if (event.sequenceNumber < (this.#next.get(partition) ?? 0)) return;
    this.#next.set(partition, event.sequenceNumber + 1);
    this.#accept({
      partition,
      sequenceNumber: event.sequenceNumber,
      enqueuedMs: event.enqueuedTimeUtc.getTime(),
      contentType: event.contentType ?? "",
      body: bytesOf(event.body),
      properties: event.properties ?? {},
    });
  }
}

/** Data sections come as bytes; an event put in by a service as a value may be anything. */
function bytesOf(body: unknown): Buffer {
  if (body instanceof Uint8Array) return Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  return Buffer.from(typeof body === "string" ? body : JSON.stringify(body));
}
