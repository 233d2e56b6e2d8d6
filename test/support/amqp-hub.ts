import {
  EventHubConsumerClient,
  type EventPosition,
  type ReceivedEventData,
  type SubscribeOptions,
} from "@azure/event-hubs";
import { pino } from "pino";
import { onTestFinished } from "vitest";
import { type AmqpFront, type AmqpOptions, startAmqp } from "../../cloud-sync/hub/amqp/start-amqp.ts";
import { openHub } from "../../cloud-sync/hub/open-hub.ts";
import type { Hub, HubEventLog, NewHubEvent } from "../../cloud-sync/hub/ports.ts";
import { systemClock } from "../../edge/kernel/clock.ts";
import { until } from "./until.ts";

/** Microsoft's clients wait 30 s between attempts unless they are told otherwise. */
export const IMPATIENT = { maxRetries: 20, retryDelayInMs: 50, maxRetryDelayInMs: 100, timeoutInMs: 5_000 };

export interface AmqpHub extends AsyncDisposable {
  readonly hub: Hub;
  readonly front: AmqpFront;
  /** Of the plain listener, for @azure/event-hubs. */
  connectionString(options?: { policy?: string; key?: string; hubName?: string }): string;
}

/** A real hub with its AMQP front on loopback; closed when the test ends if not before. */
export async function startAmqpHub(folder: string, options: Partial<AmqpOptions> = {}): Promise<AmqpHub> {
  const hub = openHub({
    folder,
    hostName: "localhost",
    hubName: "shop",
    clock: systemClock,
    logger: pino({ level: "silent" }),
  });
  const front = await startAmqp(hub, { host: "127.0.0.1", plain: { port: 0 }, ...options });
  let closed: Promise<void> | undefined;
  const close = (): Promise<void> => {
    closed ??= front.close().then(() => hub[Symbol.asyncDispose]());
    return closed;
  };
  onTestFinished(close);
  return {
    hub,
    front,
    connectionString({ policy = "service", key = hub.access.get(policy)?.primaryKey ?? "", hubName = "shop" } = {}) {
      return (
        `Endpoint=sb://127.0.0.1:${front.plainPort}/;SharedAccessKeyName=${policy};SharedAccessKey=${key};` +
        `EntityPath=${hubName};UseDevelopmentEmulator=true`
      );
    },
    [Symbol.asyncDispose]: close,
  };
}

/** Puts events of one device into the log, `text` and its number as their bodies; gives when all are on disk. */
export async function appendEvents(
  hub: Hub,
  count: number,
  event: Partial<NewHubEvent> = {},
  body: (index: number) => Buffer = (index) => Buffer.from(JSON.stringify({ index })),
): Promise<void> {
  await Promise.all(
    Array.from({ length: count }, (_, index) =>
      hub.events.append({
        source: { deviceId: "edge-1" },
        properties: {},
        system: {},
        messageSource: "Telemetry",
        ...event,
        body: body(index),
      }),
    ),
  );
}

/** The same hub, but for what is given of its log: so a test watches it or holds it up. */
export function withEvents(hub: Hub, changes: Partial<Pick<HubEventLog, "append" | "read">>): Hub {
  const { events } = hub;
  return {
    ...hub,
    events: {
      partitions: events.partitions,
      createdMs: events.createdMs,
      append: (event) => events.append(event),
      read: (partition, from, limit) => events.read(partition, from, limit),
      info: (partition) => events.info(partition),
      sequenceNumberAfter: (partition, ms) => events.sequenceNumberAfter(partition, ms),
      onAppended: (listener) => events.onAppended(listener),
      ...changes,
    },
  };
}

export interface Collected {
  readonly events: { partition: string; event: ReceivedEventData }[];
  readonly errors: Error[];
  /** Of one partition, the numbers in the order of their arrival. */
  numbers(partition: string): number[];
  has(count: number): Promise<void>;
  close(): Promise<void>;
}

/** A real consumer that gathers what it gets; closed when the test ends if not before. */
export function collect(
  connectionString: string,
  startPosition: EventPosition | Record<string, EventPosition>,
  options: SubscribeOptions & { group?: string; partition?: string; onBatch?: () => Promise<void> } = {},
): Collected {
  const { group = "$Default", partition, onBatch, ...subscribe } = options;
  const client = new EventHubConsumerClient(group, connectionString, {
    retryOptions: IMPATIENT,
    loadBalancingOptions: {
      strategy: "greedy",
      updateIntervalInMs: 200,
      partitionOwnershipExpirationIntervalInMs: 2_000,
    },
  });
  const events: Collected["events"] = [];
  const errors: Error[] = [];
  const handlers = {
    async processEvents(batch: ReceivedEventData[], context: { partitionId: string }) {
      for (const event of batch) events.push({ partition: context.partitionId, event });
      await onBatch?.();
    },
    async processError(error: Error) {
      errors.push(error);
    },
  };
  const settings = { maxBatchSize: 100, maxWaitTimeInSeconds: 1, startPosition, ...subscribe };
  const subscription =
    partition === undefined ? client.subscribe(handlers, settings) : client.subscribe(partition, handlers, settings);
  let closed: Promise<void> | undefined;
  const close = (): Promise<void> => {
    closed ??= subscription.close().then(() => client.close());
    return closed;
  };
  onTestFinished(close);
  return {
    events,
    errors,
    numbers: (wanted) => events.filter((each) => each.partition === wanted).map(({ event }) => event.sequenceNumber),
    async has(count) {
      await until(
        `${count} events, ${events.length} so far; errors: ${errors.map(String).join("; ")}`,
        () => events.length >= count,
      );
    },
    close,
  };
}
