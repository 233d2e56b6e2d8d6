/** How many events a synchronous read may take so that it stays near a time: learnt from the reads before it. */
export class SliceSize {
  readonly #targetMs: number;
  readonly #limitEventsMax: number;
  limitEvents: number;

  /** @param targetMs how long one slice may hold the event loop */
  constructor(targetMs: number, limitEventsMax: number) {
    this.#targetMs = targetMs;
    this.#limitEventsMax = limitEventsMax;
    this.limitEvents = Math.min(16, limitEventsMax);
  }

  /** Grows at most twofold, so that one fast read of small events does not lead to a slow one of large events. */
  learn(events: number, elapsedMs: number): void {
    if (events === 0) return;
    const fitting = (events * this.#targetMs) / Math.max(elapsedMs, 0.05);
    this.limitEvents = Math.round(Math.min(this.#limitEventsMax, this.limitEvents * 2, Math.max(1, fitting)));
  }
}
