/** Wakes who waits for something to change; nobody has to be there when it rings. */
export class Bell {
  #waiting = Promise.withResolvers<void>();

  ring(): void {
    this.#waiting.resolve();
    this.#waiting = Promise.withResolvers<void>();
  }

  /** Resolves at the next ring, or on abort. */
  async next(signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const wake = (): void => resolve();
    signal.addEventListener("abort", wake, { once: true });
    await Promise.race([this.#waiting.promise, promise]);
    signal.removeEventListener("abort", wake);
  }
}
