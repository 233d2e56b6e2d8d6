import rhea, { type EventContext } from "rhea";
import { HubError } from "../hub-error.ts";
import type { Hub, NewHubEvent } from "../ports.ts";
import { AmqpError, conditionOf, isRefusal } from "./amqp-error.ts";
import { bodyOf, mapOf, propertiesOf, systemOf, textOf } from "./message-fields.ts";
import type { DecodedMessage, ServerDelivery, ServerReceiver } from "./rhea-parts.ts";
import { isDataSection } from "./rhea-parts.ts";

/** Event Hubs' limit for a message or a batch; announced when the link is attached. */
export const MESSAGE_BYTES_MAX = 1024 * 1024;
/** Messages that a client may have on the way without an answer. */
const CREDIT = 64;
/** No more credit is given while so much waits for the disk. */
const UNANSWERED_BYTES_MAX = 16 * 1024 * 1024;
/** A message whose data sections are encoded messages themselves. */
const BATCH_FORMAT = 0x80013700;
/** Event Hubs' word for "again, later": its clients do so by themselves. */
const SERVER_BUSY = "com.microsoft:server-busy";

/**
 * A sender link of a client: each message, or batch of them, is accepted when all of it is on disk. Values of
 * application properties are kept as text.
 */
export class ProducerLink {
  readonly #hub: Hub;
  readonly #receiver: ServerReceiver;
  readonly #partition: number | undefined;
  readonly #nextPartition: () => number;
  #unanswered = 0;
  #unansweredBytes = 0;

  /** @param nextPartition for batches that name none: all of a batch goes to one, in order */
  constructor(hub: Hub, receiver: ServerReceiver, partition: number | undefined, nextPartition: () => number) {
    this.#hub = hub;
    this.#receiver = receiver;
    this.#partition = partition;
    this.#nextPartition = nextPartition;
    receiver.local.attach.max_message_size = MESSAGE_BYTES_MAX;
    receiver.on("message", (context: EventContext) => this.#received(context));
    this.#giveCredit();
  }

  #received(context: EventContext): void {
    const delivery = context.delivery as ServerDelivery;
    const message = context.message as unknown as DecodedMessage | Buffer;
    let events: NewHubEvent[] = [];
    let bytes = 0;
    let failure: unknown;
    try {
      events = eventsOf(message, delivery.format, this.#partition, this.#nextPartition);
      bytes = events.reduce((sum, event) => sum + event.body.length, 0);
      if (bytes > MESSAGE_BYTES_MAX) throw tooLarge();
    } catch (error) {
      events = [];
      failure = error;
    }
    this.#unanswered++;
    this.#unansweredBytes += bytes;
    const appended = failure === undefined ? this.#append(events) : Promise.reject(failure);
    appended
      .then(
        () => delivery.accept(),
        (error: unknown) => {
          if (!isRefusal(error)) this.#hub.logger.warn({ err: error, link: this.#receiver.name }, "event not stored");
          delivery.reject(isBusy(error) ? { ...conditionOf(error), condition: SERVER_BUSY } : conditionOf(error));
        },
      )
      .finally(() => {
        this.#unanswered--;
        this.#unansweredBytes -= bytes;
        if (!this.#receiver.is_closed()) this.#giveCredit();
      });
  }

  async #append(events: readonly NewHubEvent[]): Promise<void> {
    await Promise.all(events.map((event) => this.#hub.events.append(event)));
  }

  #giveCredit(): void {
    if (this.#unansweredBytes > UNANSWERED_BYTES_MAX) return;
    const missing = CREDIT - this.#receiver.credit - this.#unanswered;
    if (missing > 0) this.#receiver.add_credit(missing);
  }
}

function isBusy(error: unknown): boolean {
  return error instanceof HubError && (error.status === 429 || error.status === 503);
}

export function tooLarge(): AmqpError {
  return new AmqpError("amqp:link:message-size-exceeded", `a message may have ${MESSAGE_BYTES_MAX} bytes at most`);
}

function eventsOf(
  message: DecodedMessage | Buffer,
  format: number,
  linkPartition: number | undefined,
  nextPartition: () => number,
): NewHubEvent[] {
  if (!Buffer.isBuffer(message)) return [eventOf(message, linkPartition, undefined)];
  if (message.length > MESSAGE_BYTES_MAX) throw tooLarge();
  if (format !== BATCH_FORMAT) {
    throw new AmqpError("amqp:not-implemented", `message format 0x${format.toString(16)} is not known here`);
  }
  const envelope = rhea.message.decode(message) as DecodedMessage;
  const body: unknown = envelope.body;
  if (!isDataSection(body)) throw new AmqpError("com.microsoft:argument-error", "a batch without data sections");
  const parts: unknown[] = body.multiple === true && Array.isArray(body.content) ? body.content : [body.content];
  const key = partitionKeyOf(envelope);
  const partition = linkPartition ?? (key === undefined ? nextPartition() : undefined);
  return parts.map((part) => {
    if (!Buffer.isBuffer(part)) throw new AmqpError("com.microsoft:argument-error", "a batch of what is not messages");
    return eventOf(rhea.message.decode(part) as DecodedMessage, partition, key);
  });
}

function eventOf(message: DecodedMessage, partition: number | undefined, batchKey: string | undefined): NewHubEvent {
  const partitionKey = partitionKeyOf(message) ?? batchKey;
  return {
    source: undefined,
    body: bodyOf(message),
    properties: propertiesOf(message),
    system: systemOf(message),
    messageSource: "Telemetry",
    ...(partitionKey === undefined ? {} : { partitionKey }),
    ...(partition === undefined ? {} : { partition }),
  };
}

function partitionKeyOf(message: DecodedMessage): string | undefined {
  return textOf(mapOf(message.message_annotations)["x-opt-partition-key"]);
}
