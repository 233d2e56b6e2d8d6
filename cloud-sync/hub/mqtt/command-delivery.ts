import type { Command, Hub } from "../ports.ts";
import type { MessageIds } from "./message-ids.ts";
import type { Outlet } from "./outlet.ts";
import { commandTopic } from "./topics.ts";

/** Messages that a device may have unacknowledged at a time. */
const IN_FLIGHT_MAX = 16;
/** The queue's lock ends then, and it gives the message out again. */
const LOCK_MS = 60_000;
const TOPIC_BYTES_MAX = 65_535;

interface Subscribed {
  readonly filter: string;
  readonly qos: 0 | 1;
}

interface InFlight {
  readonly lockToken: string;
  readonly sinceMs: number;
}

/** Cloud-to-device messages of one connection: QoS 1 is completed by its PUBACK, QoS 0 by being sent. */
export class CommandDelivery {
  readonly #hub: Hub;
  readonly #deviceId: string;
  readonly #outlet: Outlet;
  readonly #inFlight = new Map<number, InFlight>();
  readonly #messageIds: MessageIds;
  #subscribed: Subscribed | undefined;
  #isClosed = false;

  constructor(hub: Hub, deviceId: string, outlet: Outlet, messageIds: MessageIds) {
    this.#hub = hub;
    this.#deviceId = deviceId;
    this.#outlet = outlet;
    this.#messageIds = messageIds;
  }

  /** Undefined: the device does not listen. */
  subscribed(to: Subscribed | undefined): void {
    this.#subscribed = to;
    this.deliver();
  }

  /** Sends what waits, as far as there is room. */
  deliver(): void {
    if (this.#subscribed === undefined || this.#isClosed) return;
    this.#forgetUnlocked();
    while (this.#inFlight.size < IN_FLIGHT_MAX) {
      const command = this.#hub.commands.lock(this.#deviceId);
      if (command === undefined) return;
      this.#send(command, this.#subscribed);
    }
  }

  /** Whether the PUBACK was for a message of ours. */
  acknowledged(messageId: number): boolean {
    const inFlight = this.#inFlight.get(messageId);
    if (inFlight === undefined) return false;
    this.#inFlight.delete(messageId);
    this.#messageIds.release(messageId);
    this.#hub.commands.complete(inFlight.lockToken);
    this.deliver();
    return true;
  }

  /** What was not acknowledged waits for the next connection. */
  close(): void {
    this.#isClosed = true;
    for (const { lockToken } of this.#inFlight.values()) this.#hub.commands.abandon(lockToken);
    this.#inFlight.clear();
  }

  #send(command: Command, { filter, qos }: Subscribed): void {
    const topic = commandTopic(command, filter);
    if (Buffer.byteLength(topic) > TOPIC_BYTES_MAX) {
      // URL-encoded, its properties are longer than MQTT can carry.
      this.#hub.commands.reject(command.lockToken);
      return;
    }
    if (qos === 0) {
      this.#outlet.publish(topic, command.body);
      this.#hub.commands.complete(command.lockToken);
      return;
    }
    const messageId = this.#messageIds.take();
    this.#inFlight.set(messageId, { lockToken: command.lockToken, sinceMs: this.#hub.clock.monotonicMs() });
    this.#outlet.publish(topic, command.body, { qos: 1, messageId, dup: command.deliveryCount > 1 });
  }

  #forgetUnlocked(): void {
    const beforeMs = this.#hub.clock.monotonicMs() - LOCK_MS;
    for (const [messageId, { sinceMs }] of this.#inFlight) {
      if (sinceMs > beforeMs) continue;
      this.#inFlight.delete(messageId);
      this.#messageIds.release(messageId);
    }
  }
}
