import type { Command, Hub } from "../ports.ts";
import type { Outlet } from "./outlet.ts";
import { commandTopic } from "./topics.ts";

/** Messages that a device may have unacknowledged at a time. */
const IN_FLIGHT_MAX = 16;
/** The queue's lock ends then, and it gives the message out again. */
const LOCK_MS = 60_000;
const MESSAGE_ID_MAX = 65_535;
const TOPIC_BYTES_MAX = 65_535;

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
  #qos: 0 | 1 | undefined;
  #messageId = 0;
  #isClosed = false;

  constructor(hub: Hub, deviceId: string, outlet: Outlet) {
    this.#hub = hub;
    this.#deviceId = deviceId;
    this.#outlet = outlet;
  }

  /** Undefined: the device does not listen. */
  subscribed(qos: 0 | 1 | undefined): void {
    this.#qos = qos;
    this.deliver();
  }

  /** Sends what waits, as far as there is room. */
  deliver(): void {
    if (this.#qos === undefined || this.#isClosed) return;
    this.#forgetUnlocked();
    while (this.#inFlight.size < IN_FLIGHT_MAX) {
      const command = this.#hub.commands.lock(this.#deviceId);
      if (command === undefined) return;
      this.#send(command, this.#qos);
    }
  }

  /** Whether the PUBACK was for a message of ours. */
  acknowledged(messageId: number): boolean {
    const inFlight = this.#inFlight.get(messageId);
    if (inFlight === undefined) return false;
    this.#inFlight.delete(messageId);
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

  #send(command: Command, qos: 0 | 1): void {
    const topic = commandTopic(command);
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
    const messageId = this.#nextMessageId();
    this.#inFlight.set(messageId, { lockToken: command.lockToken, sinceMs: this.#hub.clock.monotonicMs() });
    this.#outlet.publish(topic, command.body, { qos: 1, messageId, dup: command.deliveryCount > 1 });
  }

  #forgetUnlocked(): void {
    const beforeMs = this.#hub.clock.monotonicMs() - LOCK_MS;
    for (const [messageId, { sinceMs }] of this.#inFlight) if (sinceMs <= beforeMs) this.#inFlight.delete(messageId);
  }

  #nextMessageId(): number {
    do this.#messageId = (this.#messageId % MESSAGE_ID_MAX) + 1;
    while (this.#inFlight.has(this.#messageId));
    return this.#messageId;
  }
}
