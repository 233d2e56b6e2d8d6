import type { HubEventLog } from "../ports.ts";
import type { ConsumerLink } from "./consumer-link.ts";

/**
 * Gives the receiver links of all connections their turns, one batch each, round and round, with the event loop in
 * between: a link with a long backlog delays neither another link nor the hub's devices.
 */
export class ConsumerPump {
  readonly #links = new Set<ConsumerLink>();
  /** In the order of their turns. */
  readonly #ready = new Set<ConsumerLink>();
  readonly #failed: (link: ConsumerLink, error: unknown) => void;
  readonly #unsubscribe: () => void;
  #scheduled: NodeJS.Immediate | undefined;

  /** @param failed a link whose turn threw; it is taken out first */
  constructor(log: HubEventLog, failed: (link: ConsumerLink, error: unknown) => void) {
    this.#failed = failed;
    this.#unsubscribe = log.onAppended((partitions) => {
      for (const link of this.#links) {
        if (!partitions.has(link.partition)) continue;
        link.appended();
        this.wake(link);
      }
    });
  }

  add(link: ConsumerLink): void {
    this.#links.add(link);
    this.wake(link);
  }

  remove(link: ConsumerLink): void {
    this.#links.delete(link);
    this.#ready.delete(link);
  }

  /** It may have something to send, and be allowed to. */
  wake(link: ConsumerLink): void {
    if (link.caughtUp || !this.#links.has(link)) return;
    this.#ready.add(link);
    this.#scheduled ??= setImmediate(() => this.#turn());
  }

  close(): void {
    this.#unsubscribe();
    this.#links.clear();
    this.#ready.clear();
    clearImmediate(this.#scheduled);
  }

  #turn(): void {
    this.#scheduled = undefined;
    const [link] = this.#ready;
    if (link === undefined) return;
    this.#ready.delete(link);
    try {
      if (link.turn()) this.#ready.add(link);
    } catch (error) {
      this.remove(link);
      this.#failed(link, error);
    }
    if (this.#ready.size > 0) this.#scheduled ??= setImmediate(() => this.#turn());
  }
}
