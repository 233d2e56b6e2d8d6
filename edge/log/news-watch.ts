/** Appends by another process are seen by asking; by this one at once (`wake`). */
const POLL_MS = 50;

interface Waiter {
  readonly offset: number;
  readonly resolve: (past: boolean) => void;
}

/** Wakes those who wait for the log's head to pass an offset. One timer for all, and none while nobody waits. */
export class NewsWatch {
  readonly #head: () => number;
  readonly #waiters = new Set<Waiter>();
  #timer: NodeJS.Timeout | undefined;

  constructor(head: () => number) {
    this.#head = head;
  }

  /** True once the head is past `offset`; false when the signal aborts or the log closes. */
  waitPast(offset: number, signal: AbortSignal): Promise<boolean> {
    if (signal.aborted) return Promise.resolve(false);
    if (this.#head() > offset) return Promise.resolve(true);
    return new Promise((resolve) => {
      const waiter: Waiter = {
        offset,
        resolve: (past) => {
          this.#waiters.delete(waiter);
          signal.removeEventListener("abort", onAbort);
          resolve(past);
        },
      };
      const onAbort = (): void => waiter.resolve(false);
      signal.addEventListener("abort", onAbort, { once: true });
      this.#waiters.add(waiter);
      this.#timer ??= setInterval(() => this.#poll(), POLL_MS);
    });
  }

  /** @param head the offset up to which events are durable now */
  wake(head: number): void {
    for (const waiter of this.#waiters) if (head > waiter.offset) waiter.resolve(true);
  }

  #poll(): void {
    if (this.#waiters.size > 0) {
      this.wake(this.#head());
    } else {
      clearInterval(this.#timer);
      this.#timer = undefined;
    }
  }

  close(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    for (const waiter of this.#waiters) waiter.resolve(false);
  }
}
