import type { Sample } from "../../../cloud-sync/contract/sample.ts";
import { PENDING_SAMPLES_MAX } from "../driver.ts";

/** What was read and not yet taken; at most `samplesMax`, the oldest go first and are counted. */
export class PendingSamples {
  /** Samples that a slow consumer cost. */
  overflowed = 0;
  readonly #samplesMax: number;
  #samples: Sample[] = [];
  #wake: (() => void) | null = null;

  constructor(samplesMax: number = PENDING_SAMPLES_MAX) {
    this.#samplesMax = samplesMax;
  }

  push(samples: readonly Sample[]): void {
    for (const sample of samples) this.#samples.push(sample);
    const excess = this.#samples.length - this.#samplesMax;
    if (excess > 0) {
      this.#samples.splice(0, excess);
      this.overflowed += excess;
    }
    this.#wake?.();
  }

  /** All that waits, oldest first; waits for the first one, or for `wake`. Empty when it was only woken. */
  async take(): Promise<readonly Sample[]> {
    if (this.#samples.length === 0) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      this.#wake = null;
    }
    const taken = this.#samples;
    this.#samples = [];
    return taken;
  }

  /** Ends a wait of `take`. */
  wake(): void {
    this.#wake?.();
  }

  clear(): void {
    this.#samples = [];
  }
}
