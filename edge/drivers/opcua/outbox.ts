import type { Sample } from "../../../cloud-sync/contract/sample.ts";

/** Samples between the link and the consumer. Bounded: the oldest go first, and are counted. */
export class Outbox {
  overflowed = 0;
  #pending: Sample[] = [];
  #wake: (() => void) | undefined;
  readonly #samplesMax: number;

  constructor(samplesMax: number) {
    this.#samplesMax = samplesMax;
  }

  push(sample: Sample): void {
    this.#pending.push(sample);
    // Trimmed in strides, because shifting a long array for each sample costs its whole length.
    if (this.#pending.length >= this.#samplesMax * 1.25) this.#trim();
    this.wake();
  }

  /** All that waits, at most the bound; undefined when nothing does. */
  take(): readonly Sample[] | undefined {
    this.#trim();
    if (this.#pending.length === 0) return undefined;
    const taken = this.#pending;
    this.#pending = [];
    return taken;
  }

  wake(): void {
    this.#wake?.();
    this.#wake = undefined;
  }

  /** Resolves when something waits or `wake` was called. One consumer at a time. */
  wait(): Promise<void> {
    if (this.#pending.length > 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  #trim(): void {
    const excess = this.#pending.length - this.#samplesMax;
    if (excess <= 0) return;
    this.#pending.splice(0, excess);
    this.overflowed += excess;
  }
}
