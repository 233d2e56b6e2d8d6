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
import { StatusCode } from "../../kernel/status-code.ts";
import { isOpaque } from "./convert.ts";
import type { Delivery } from "./delivery.ts";
import type { Item, Subscription } from "./item.ts";
import type { OpcuaLink } from "./link.ts";
import { SESSION_GONE, ServiceStatus } from "./services.ts";
import { decodeStructures } from "./structures.ts";

/** Publish requests kept waiting at the server: enough that one is always there while another is on its way. */
const OUTSTANDING_MAX = 4;
/** Lost messages fetched in one go; the server's own retransmission queue is bounded as well. */
const REPUBLISH_MAX = 64;
const PUBLISH_TIMEOUT_MS = 120_000;
/** Longest time that a timer of Node takes. */
const TIMER_MS_MAX = 0x7fffffff;
/** Pause before asking again after a request that came to nothing. */
const PAUSE_MS = 200;
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
  /** Answers to requests of an earlier generation are used, but no longer counted. */
  #generation = 0;
  #turn: Promise<unknown> = Promise.resolve();
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
    if (this.#link !== link) this.#forgetOutstanding();
    this.#link = link;
    const wanted = Math.min(this.#outstandingMax, this.subscriptions.size + 1);
    while (this.subscriptions.size > 0 && this.#outstanding < wanted) {
      this.#outstanding++;
      void this.#publish(link, failed);
    }
  }

  /** In a silence that should not be: the requests that wait may be lost, so new ones go out beside them. */
  renew(link: OpcuaLink, failed: (error: EdgeError) => void): void {
    this.#forgetOutstanding();
    this.start(link, failed);
  }

  stop(): void {
    this.#link = undefined;
  }

  async #publish(link: OpcuaLink, failed: (error: EdgeError) => void): Promise<void> {
    const generation = this.#generation;
    const subscriptionAcknowledgements = this.#acknowledgements;
    this.#acknowledgements = [];
    try {
      let response: PublishResponse;
      try {
        response = await link.request<PublishResponse>(
          new PublishRequest({ subscriptionAcknowledgements }),
          this.#publishTimeoutMs(),
        );
      } finally {
        if (generation === this.#generation) this.#outstanding--;
      }
      if (this.#link !== link) return;
      // The next request goes out before the values are worked on: the server is never left without one.
      this.start(link, failed);
      await this.#inTurn(() => this.#receive(link, response));
    } catch (error) {
      if (this.#link !== link) return;
      const fault =
        error instanceof EdgeError ? error : new EdgeError("DRIVER_NOT_CONNECTED", String(error), { cause: error });
      if (fault.statusCode === ServiceStatus.BadTooManyPublishRequests) {
        // A server with a full queue sends the oldest ones back; those of before a renewal say nothing of the limit.
        if (generation === this.#generation) this.#outstandingMax = Math.max(1, this.#outstanding);
      } else if (fault.code === "DRIVER_REFUSED" && fault.statusCode !== StatusCode.BadTimeout) {
        failed(fault);
      } else if (!link.lost.aborted) {
        // A request that waited in vain, at the server (BadTimeout) or here, is no fault of the subscription.
        await this.#clock.sleep(PAUSE_MS, link.lost);
        if (this.#link === link) this.start(link, failed);
      }
    }
  }

  /** A request may wait for as many keep-alives as there are requests before it, and the server may make these long. */
  #publishTimeoutMs(): number {
    const keepAlivesMs = [...this.subscriptions.values()].map((each) => each.keepAliveMs);
    const waitMs = Math.max(0, ...keepAlivesMs) * (OUTSTANDING_MAX + 1);
    return Math.min(TIMER_MS_MAX, Math.max(PUBLISH_TIMEOUT_MS, waitMs));
  }

  #forgetOutstanding(): void {
    this.#generation++;
    this.#outstanding = 0;
  }

  /** Messages are worked on one after the other: while a lost one is fetched, the next must not fetch it as well. */
  #inTurn<T>(action: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(action);
    this.#turn = result.catch(() => undefined);
    return result;
  }

  async #receive(link: OpcuaLink, response: PublishResponse): Promise<void> {
    const subscription = this.subscriptions.get(response.subscriptionId);
    // Of a subscription that has just been deleted, or of a link that was given up meanwhile: that one is republished.
    if (subscription === undefined || this.#link !== link) return;
    subscription.heardMs = this.#clock.monotonicMs();
    const message = response.notificationMessage;
    const sequence = message.sequenceNumber;
    const holds = (message.notificationData?.length ?? 0) > 0;
    // A keep-alive names the number that comes next (Part 4, 5.13.1.1); a higher one than expected means a lost message.
    if (sequence > following(subscription.lastSequence)) {
      await this.#fetch(link, subscription, sequence);
      subscription.lastSequence = sequence - 1; // what the server no longer has is lost, and not asked for again
    }
    subscription.republished = false;
    if (!holds) return;
    const isRepeated = sequence <= subscription.lastSequence && subscription.lastSequence !== SEQUENCE_MAX;
    this.#acknowledge(subscription.id, sequence);
    if (isRepeated) return;
    subscription.lastSequence = sequence;
    await this.#deliver(link, message);
  }

  /**
   * Asks the server for the messages after the last one received, to the end of its queue (Republish, Part 4, 5.13.6).
   * Resolves with how many came.
   * @throws EdgeError DRIVER_REFUSED when the subscription or session is gone
   */
  fetchMissed(link: OpcuaLink, subscription: Subscription): Promise<number> {
    return this.#inTurn(() => this.#fetch(link, subscription, undefined));
  }

  async #fetch(link: OpcuaLink, subscription: Subscription, until: number | undefined): Promise<number> {
    let fetched = 0;
    let next = following(subscription.lastSequence);
    for (let asked = 0; asked < REPUBLISH_MAX && next !== until; asked++, next = following(next)) {
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
        if (!(error instanceof EdgeError) || error.code !== "DRIVER_REFUSED") throw error;
        if (error.statusCode === ServiceStatus.BadSubscriptionIdInvalid || SESSION_GONE.has(error.statusCode ?? 0))
          throw error;
        // Of a gap, the later ones may still be there. Any other refusal: a server that can't republish.
        if (until === undefined || error.statusCode !== ServiceStatus.BadMessageNotAvailable) break;
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
