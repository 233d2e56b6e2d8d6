import { decimalsMaxOf, decimalsOf } from "./format.ts";

/** Signals remembered; past this all are forgotten and learnt again. */
const SIGNALS_MAX = 50_000;

interface Seen {
  largest: number;
  finest: number;
}

/**
 * How many decimals each signal is written with: those that its finest value so far needs, but no more than make sense
 * beside its largest. So 0, 0.1 and 20.8 % of one signal become 0.0, 0.1 and 20.8, and the number stands still.
 */
export class Digits {
  readonly #seen = new Map<string, Seen>();

  /** Takes note of a value that is about to be shown, and tells with how many decimals. */
  of(machineId: string, signal: string, value: unknown): number | undefined {
    if (typeof value !== "number" || !Number.isFinite(value)) return undefined;
    const key = `${machineId} ${signal}`;
    let seen = this.#seen.get(key);
    if (!seen) {
      if (this.#seen.size >= SIGNALS_MAX) this.#seen.clear();
      seen = { largest: 0, finest: 0 };
      this.#seen.set(key, seen);
    }
    seen.largest = Math.max(seen.largest, Math.abs(value));
    seen.finest = Math.max(seen.finest, decimalsOf(value));
    return Math.min(seen.finest, decimalsMaxOf(seen.largest));
  }
}
