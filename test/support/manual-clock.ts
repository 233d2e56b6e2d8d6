import { setImmediate as nextTurn } from "node:timers/promises";
import type { Clock } from "../../edge/kernel/clock.ts";

interface Sleeper {
  readonly dueMs: number;
  readonly order: number;
  readonly wake: () => void;
}

/** A clock whose time only the test moves. Sleepers wake in the order of their times, each before the next one does. */
export class ManualClock implements Clock {
  #wallMs: number;
  #monotonicMs = 0;
  #order = 0;
  readonly #sleepers = new Set<Sleeper>();

  constructor(startMs = 1_700_000_000_000) {
    this.#wallMs = startMs;
  }

  nowMs(): number {
    return this.#wallMs;
  }

  monotonicMs(): number {
    return this.#monotonicMs;
  }

  sleep(durationMs: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) return Promise.resolve();
    const { promise, resolve } = Promise.withResolvers<void>();
    const wake = (): void => {
      this.#sleepers.delete(sleeper);
      signal?.removeEventListener("abort", wake);
      resolve();
    };
    const sleeper = { dueMs: this.#monotonicMs + Math.max(0, durationMs), order: this.#order++, wake };
    this.#sleepers.add(sleeper);
    signal?.addEventListener("abort", wake, { once: true });
    return promise;
  }

  /** Moves time on; what is due runs, and what that starts within the span runs too. */
  async advance(durationMs: number): Promise<void> {
    const endMs = this.#monotonicMs + durationMs;
    await settled();
    for (let next = this.#next(endMs); next !== undefined; next = this.#next(endMs)) {
      this.#moveTo(Math.max(next.dueMs, this.#monotonicMs));
      next.wake();
      await settled();
    }
    this.#moveTo(endMs);
    await settled();
  }

  /** The wall clock jumps (an operator sets it, NTP arrives); durations don't. */
  jumpWall(deltaMs: number): void {
    this.#wallMs += deltaMs;
  }

  /** How many are asleep: 0 after a shutdown that forgot nothing. */
  get sleeping(): number {
    return this.#sleepers.size;
  }

  #next(endMs: number): Sleeper | undefined {
    return [...this.#sleepers]
      .filter(({ dueMs }) => dueMs <= endMs)
      .sort((a, b) => a.dueMs - b.dueMs || a.order - b.order)[0];
  }

  #moveTo(monotonicMs: number): void {
    this.#wallMs += monotonicMs - this.#monotonicMs;
    this.#monotonicMs = monotonicMs;
  }
}

/** Lets promises that are resolved already run their course. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 3; turn++) await nextTurn();
}
