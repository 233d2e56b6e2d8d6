import rhea, { type Delivery, type EventContext } from "rhea";
import type { CommandQueue, FeedbackRecord } from "../ports.ts";
import type { ServerSender } from "./rhea-parts.ts";

/** Records in one message, and messages that one service may hold unsettled. */
const RECORDS_MAX = 64;
const UNSETTLED_MAX = 10;
const CONTENT_TYPE = "application/vnd.microsoft.iothub.feedback.json";

/**
 * Gives what became of cloud-to-device messages to the services that listen: each record to one of them, again when it
 * does not settle it.
 */
export class FeedbackDispatcher {
  readonly #queue: CommandQueue;
  readonly #hubName: string;
  readonly #links = new Set<FeedbackLink>();
  /** On the way to some service. */
  readonly #given = new Set<number>();
  readonly #unsubscribe: () => void;

  constructor(queue: CommandQueue, hubName: string) {
    this.#queue = queue;
    this.#hubName = hubName;
    this.#unsubscribe = queue.onFeedback(() => this.dispatch());
  }

  add(sender: ServerSender): FeedbackLink {
    const link = new FeedbackLink(sender, this);
    this.#links.add(link);
    return link;
  }

  remove(link: FeedbackLink): void {
    this.#links.delete(link);
    this.giveBack(link.unsettledIds());
  }

  dispatch(): void {
    for (const link of this.#links) {
      while (link.ready) {
        const records = this.#queue
          .feedback(this.#given.size + RECORDS_MAX)
          .filter(({ id }) => !this.#given.has(id))
          .slice(0, RECORDS_MAX);
        if (records.length === 0) return;
        for (const { id } of records) this.#given.add(id);
        link.send(
          records.map(({ id }) => id),
          records.map(({ record }) => bodyOf(record)),
          this.#hubName,
        );
      }
    }
  }

  settle(ids: readonly number[]): void {
    this.#queue.settleFeedback(ids);
    for (const id of ids) this.#given.delete(id);
  }

  giveBack(ids: readonly number[]): void {
    for (const id of ids) this.#given.delete(id);
    if (ids.length > 0) setImmediate(() => this.dispatch());
  }

  close(): void {
    this.#unsubscribe();
    this.#links.clear();
  }
}

/** One service that listens to `/messages/serviceBound/feedback`. */
export class FeedbackLink {
  readonly #sender: ServerSender;
  readonly #unsettled = new Map<Delivery, readonly number[]>();
  #sent = 0;

  constructor(sender: ServerSender, dispatcher: FeedbackDispatcher) {
    this.#sender = sender;
    sender.on("sendable", () => dispatcher.dispatch());
    const done = (context: EventContext): void => dispatcher.settle(this.#take(context));
    const again = (context: EventContext): void => dispatcher.giveBack(this.#take(context));
    sender.on("accepted", done);
    sender.on("rejected", done);
    sender.on("released", again);
    sender.on("modified", again);
  }

  get ready(): boolean {
    const { credit, delivery_count } = this.#sender;
    return this.#sender.is_open() && credit > this.#sent - delivery_count && this.#unsettled.size < UNSETTLED_MAX;
  }

  send(ids: readonly number[], records: readonly object[], hubName: string): void {
    const delivery = this.#sender.send({
      content_type: CONTENT_TYPE,
      content_encoding: "utf-8",
      user_id: Buffer.from(hubName),
      body: rhea.message.data_section(Buffer.from(JSON.stringify(records))),
    } as unknown as Parameters<ServerSender["send"]>[0]);
    this.#sent++;
    this.#unsettled.set(delivery, ids);
  }

  unsettledIds(): number[] {
    return [...this.#unsettled.values()].flat();
  }

  #take({ delivery }: EventContext): readonly number[] {
    if (delivery === undefined) return [];
    const ids = this.#unsettled.get(delivery) ?? [];
    this.#unsettled.delete(delivery);
    return ids;
  }
}

function bodyOf({ originalMessageId, deviceId, deviceGenerationId, description, enqueuedTimeUtc }: FeedbackRecord) {
  return { originalMessageId, deviceGenerationId, deviceId, enqueuedTimeUtc, statusCode: description, description };
}
