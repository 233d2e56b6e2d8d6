import type { Clock } from "../../edge/kernel/clock.ts";
import type { Traffic } from "./ports.ts";

const SPAN_S = 10;

/** Events and bytes a second, over the last ten, and all that was counted. */
export class RateMeter {
  readonly #clock: Clock;
  readonly #startMs: number;
  readonly #total = { events: 0, messages: 0, units: 0, bytes: 0 };
  #seconds: { second: number; events: number; bytes: number }[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#startMs = clock.monotonicMs();
  }

  #now(): number {
    const second = Math.floor(this.#clock.monotonicMs() / 1_000);
    this.#seconds = this.#seconds.filter((each) => each.second > second - SPAN_S);
    return second;
  }

  get total(): Traffic & { readonly events: number } {
    return { ...this.#total };
  }

  /** A message. */
  add({ events, bytes, units }: { readonly events: number; readonly bytes: number; readonly units: number }): void {
    this.#total.messages++;
    this.#total.events += events;
    this.#total.units += units;
    this.#total.bytes += bytes;
    const second = this.#now();
    const last = this.#seconds.at(-1);
    if (last?.second === second) {
      last.events += events;
      last.bytes += bytes;
    } else this.#seconds.push({ second, events, bytes });
  }

  perSecond(): { eventsPerSecond: number; bytesPerSecond: number } {
    this.#now();
    const spanS = Math.min(SPAN_S, Math.max(1, (this.#clock.monotonicMs() - this.#startMs) / 1_000));
    const events = this.#seconds.reduce((sum, each) => sum + each.events, 0);
    const bytes = this.#seconds.reduce((sum, each) => sum + each.bytes, 0);
    return { eventsPerSecond: events / spanS, bytesPerSecond: bytes / spanS };
  }
}
