import type { ISubscription } from "mqtt-packet";
import type { Hub, Identity } from "../ports.ts";
import { isSubscribable } from "./topics.ts";

/** What one client has subscribed to; kept over restarts when the client asked for a session that lasts. */
export class Subscriptions {
  /** Whether an older session was taken up. */
  readonly isRestored: boolean;
  readonly #hub: Hub;
  readonly #identity: Identity;
  readonly #isKept: boolean;
  readonly #qosByFilter: Map<string, 0 | 1>;

  constructor(hub: Hub, identity: Identity, clean: boolean) {
    this.#hub = hub;
    this.#identity = identity;
    this.#isKept = !clean;
    const old = clean ? undefined : hub.sessions.get(identity);
    if (clean) hub.sessions.remove(identity);
    this.isRestored = old !== undefined;
    this.#qosByFilter = new Map(old);
    this.#save();
  }

  qosOf(filter: string): 0 | 1 | undefined {
    return this.#qosByFilter.get(filter);
  }

  /** The one of several forms of a filter that the client used. */
  usedOf(filters: readonly string[]): { readonly filter: string; readonly qos: 0 | 1 } | undefined {
    for (const filter of filters) {
      const qos = this.#qosByFilter.get(filter);
      if (qos !== undefined) return { filter, qos };
    }
    return undefined;
  }

  /** The granted QoS of each: never 2. Undefined, and nothing is changed, when one is none of the client's topics. */
  add(wanted: readonly ISubscription[]): (0 | 1)[] | undefined {
    if (!wanted.every(({ topic }) => isSubscribable(topic, this.#identity))) return undefined;
    const granted = wanted.map(({ topic, qos }) => {
      const most = qos === 0 ? 0 : 1;
      this.#qosByFilter.set(topic, most);
      return most;
    });
    this.#save();
    return granted;
  }

  remove(filters: readonly string[]): void {
    for (const filter of filters) this.#qosByFilter.delete(filter);
    this.#save();
  }

  #save(): void {
    if (this.#isKept) this.#hub.sessions.save(this.#identity, this.#qosByFilter);
  }
}
