import { setImmediate as turn } from "node:timers/promises";

const BUSY_MS_MAX = 15;

/** Lets others of the process have their turn while much is taken apart or encoded: the office's page, signs of life to the hub. */
export class Breather {
  #sinceMs = performance.now();

  /** At once, unless it has been long since the last turn. */
  async breathe(): Promise<void> {
    if (performance.now() - this.#sinceMs < BUSY_MS_MAX) return;
    await turn();
    this.#sinceMs = performance.now();
  }
}
