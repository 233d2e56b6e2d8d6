import {
  DataChangeNotification,
  type NotificationMessage,
  PublishRequest,
  type PublishResponse,
  RepublishRequest,
  type RepublishResponse,
  StatusChangeNotification,
} from "node-opcua-client";
import type { Clock } from "../../kernel/clock.ts";
import { EdgeError } from "../../kernel/errors.ts";
import { isOpaque } from "./convert.ts";
import type { Delivery } from "./delivery.ts";
import type { Item, Subscription } from "./item.ts";
import type { OpcuaLink } from "./link.ts";
import { ServiceStatus } from "./services.ts";
import { decodeStructures } from "./structures.ts";

/** Publish requests kept waiting at the server: enough that one is always there while another is on its way. */
const OUTSTANDING_MAX = 4;
/** Lost messages fetched in one go; the server's own retransmission queue is bounded as well. */
const REPUBLISH_MAX = 64;
const PUBLISH_TIMEOUT_MS = 120_000;
const ACKNOWLEDGEMENTS_MAX = 1_000;
const SEQUENCE_MAX = 0xffffffff;

/** Keeps the publish requests of one session going and hands on what comes. Its state moves to the next link on a resume. */
export class Publisher {
  readonly subscriptions = new Map<number, Subscription>();
  readonly byHandle: Map<number, Item>;
  republished = 0;
  notifications = 0;
  #acknowledgements: { subscriptionId: number; sequenceNumber: number }[] = [];
  #outstanding = 0;
  #outstandingMax = OUTSTANDING_MAX;
  #link: OpcuaLink | undefined;
  readonly #clock: Clock;
  readonly #delivery: Delivery;

  constructor(clock: Clock, delivery: Delivery, byHandle: Map<number, Item>) {
    this.#clock = clock;
    this.#delivery = delivery;
    this.byHandle = byHandle;
  }

  /** Forgets the session's subscriptions. */
  reset(): void {
    this.subscriptions.clear();
    this.#acknowledgements = [];
  }

  /** From here on publishes go over this link; `failed` hears of faults that publishing can't mend by itself. */
  start(link: OpcuaLink, failed: (error: EdgeError) => void): void {
    if (this.#link !== link) this.#outstanding = 0;
    this.#link = link;
    const wanted = Math.min(this.#outstandingMax, this.subscriptions.size + 1);
    while (this.subscriptions.size > 0 && this.#outstanding < wanted) {
      this.#outstanding++;
      void this.#publish(link, failed);
    }
  }

  stop(): void {
    this.#link = undefined;
  }

  async #publish(link: OpcuaLink, failed: (error: EdgeError) => void): Promise<void> {
    const subscriptionAcknowledgements = this.#acknowledgements;
    this.#acknowledgements = [];
    try {
      const response = await link.request<PublishResponse>(
        new PublishRequest({ subscriptionAcknowledgements }),
        PUBLISH_TIMEOUT_MS,
      );
      if (this.#link !== link) return;
      this.#outstanding--;
      // The next request goes out before the values are worked on: the server is never left without one.
      this.start(link, failed);
      await this.#receive(link, response);
    } catch (error) {
      if (this.#link !== link) return;
      this.#outstanding--;
      const fault =
        error instanceof EdgeError ? error : new EdgeError("DRIVER_NOT_CONNECTED", String(error), { cause: error });
      if (fault.statusCode === ServiceStatus.BadTooManyPublishRequests) {
        this.#outstandingMax = Math.max(1, this.#outstanding);
      } else if (fault.code === "DRIVER_REFUSED") {
        failed(fault);
      } else if (!link.lost.aborted) {
        await this.#clock.sleep(200, link.lost);
        if (this.#link === link) this.start(link, failed);
      }
    }
  }

  async #receive(link: OpcuaLink, response: PublishResponse): Promise<void> {
    const subscription = this.subscriptions.get(response.subscriptionId);
    if (subscription === undefined) return; // of a subscription that has just been deleted
    subscription.heardMs = this.#clock.monotonicMs();
    const message = response.notificationMessage;
    const sequence = message.sequenceNumber;
    const expected = following(subscription.lastSequence);
    const holds = (message.notificationData?.length ?? 0) > 0;
    // A keep-alive names the number that comes next (Part 4, 5.13.1.1); a higher one than expected means a lost message.
    if (subscription.lastSequence !== 0 && sequence > expected) {
      await this.fetchMissed(link, subscription, holds ? sequence : sequence);
    }
    subscription.republished = false;
    if (!holds) return;
    if (
      subscription.lastSequence !== 0 &&
      sequence <= subscription.lastSequence &&
      subscription.lastSequence !== SEQUENCE_MAX
    ) {
      this.#acknowledge(subscription.id, sequence);
      return;
    }
    subscription.lastSequence = sequence;
    this.#acknowledge(subscription.id, sequence);
    await this.#deliver(link, message);
  }

  /**
   * Asks the server for messages after the last one received, up to before `until` or to the end of its queue (Republish,
   * Part 4, 5.13.6). Resolves with how many came.
   * @throws EdgeError DRIVER_REFUSED when the subscription or session is gone
   */
  async fetchMissed(link: OpcuaLink, subscription: Subscription, until = SEQUENCE_MAX): Promise<number> {
    let fetched = 0;
    for (
      let next = following(subscription.lastSequence);
      next < until && fetched < REPUBLISH_MAX;
      next = following(next)
    ) {
      try {
        const request = new RepublishRequest({ subscriptionId: subscription.id, retransmitSequenceNumber: next });
        const response = await link.request<RepublishResponse>(request);
        subscription.lastSequence = next;
        subscription.heardMs = this.#clock.monotonicMs();
        this.#acknowledge(subscription.id, next);
        fetched++;
        this.republished++;
        await this.#deliver(link, response.notificationMessage);
      } catch (error) {
        if (error instanceof EdgeError && error.statusCode === ServiceStatus.BadMessageNotAvailable) break;
        throw error;
      }
    }
    return fetched;
  }

  async #deliver(link: OpcuaLink, message: NotificationMessage): Promise<void> {
    for (const notification of message.notificationData ?? []) {
      if (notification instanceof DataChangeNotification) {
        const values = notification.monitoredItems ?? [];
        const opaque = values.filter((each) => isOpaque(each.value.value));
        if (opaque.length > 0)
          await decodeStructures(
            link.session,
            opaque.map((each) => each.value),
          );
        this.notifications += values.length;
        for (const { clientHandle, value } of values) {
          const item = this.byHandle.get(clientHandle);
          if (item !== undefined) this.#delivery.deliver(item, value, "notification");
        }
      } else if (notification instanceof StatusChangeNotification) {
        const statusCode = notification.status.value >>> 0;
        // GoodSubscriptionTransferred or BadTimeout: either way it is no longer ours.
        throw new EdgeError("DRIVER_REFUSED", "the server ended the subscription", {
          statusCode: statusCode || ServiceStatus.BadSubscriptionIdInvalid,
        });
      }
    }
  }

  #acknowledge(subscriptionId: number, sequenceNumber: number): void {
    if (this.#acknowledgements.length < ACKNOWLEDGEMENTS_MAX)
      this.#acknowledgements.push({ subscriptionId, sequenceNumber });
  }
}

function following(sequence: number): number {
  return sequence >= SEQUENCE_MAX ? 1 : sequence + 1;
}
