import type { SeqRanges } from "../store/telemetry-document.ts";

/** What is here of a partition, as its document said. */
export interface Known {
  readonly ranges: SeqRanges;
  /** undefined: the partition had no such document. */
  readonly etag: string | undefined;
}

export const NOTHING_KNOWN: Known = { ranges: [], etag: undefined };

/**
 * What was last known of the partitions written to lately. It may be wrong: another worker may have written since. The store compares
 * the etag when it is used, and whoever finds it wrong forgets it. Bounded by partitions and by their ranges; the longest unused go first.
 */
export class AdmittedCache {
  readonly #byKey = new Map<string, Known>();
  readonly #partitionsMax: number;
  readonly #rangesMax: number;
  #ranges = 0;

  constructor({ partitionsMax, rangesMax }: { readonly partitionsMax: number; readonly rangesMax: number }) {
    this.#partitionsMax = partitionsMax;
    this.#rangesMax = rangesMax;
  }

  get partitions(): number {
    return this.#byKey.size;
  }

  get ranges(): number {
    return this.#ranges;
  }

  get(key: string): Known | undefined {
    const known = this.#byKey.get(key);
    if (known === undefined) return undefined;
    this.#byKey.delete(key);
    this.#byKey.set(key, known);
    return known;
  }

  set(key: string, known: Known): void {
    this.delete(key);
    this.#byKey.set(key, known);
    this.#ranges += known.ranges.length;
    for (const oldest of this.#byKey.keys()) {
      if (this.#byKey.size <= this.#partitionsMax && this.#ranges <= this.#rangesMax) return;
      this.delete(oldest);
    }
  }

  delete(key: string): void {
    this.#ranges -= this.#byKey.get(key)?.ranges.length ?? 0;
    this.#byKey.delete(key);
  }
}
