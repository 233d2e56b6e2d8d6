import type { Clock } from "../../edge/kernel/clock.ts";

const SPAN_S = 10;

/** Events and bytes a second, over the last ten. */
export class RateMeter {
  readonly #clock: Clock;
  readonly #startMs: number;
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

  add(events: number, bytes: number): void {
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
