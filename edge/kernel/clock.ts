import { setTimeout as delay } from "node:timers/promises";

/** Time is injected, so that tests own it. Instants are UTC epoch milliseconds, durations come from `monotonicMs`. */
export interface Clock {
  /** Wall clock, UTC epoch milliseconds. May jump: never order by it, never subtract it for a duration. */
  nowMs(): number;
  /** Milliseconds since an arbitrary start; never jumps. */
  monotonicMs(): number;
  /** Resolves after the duration, or at once when the signal aborts (it never rejects). */
  sleep(durationMs: number, signal?: AbortSignal): Promise<void>;
}

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  async sleep(durationMs, signal) {
    if (signal?.aborted) return;
    await delay(durationMs, undefined, signal ? { signal } : {}).catch(() => undefined);
  },
};
