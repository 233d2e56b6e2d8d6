import { type CellRange, overlap } from "./plan.ts";
import type { FailureMeaning } from "./status-map.ts";

/** How long a range that can't be read is left alone before it is tried again. */
export const QUARANTINE_RETRY_MS = 30_000;

interface Entry {
  readonly range: CellRange;
  /** null for unread cells between two signals: they are avoided, not retried. */
  meaning: FailureMeaning | null;
  retryAtMs: number;
}

/**
 * What a unit turned out not to answer: ranges that fail (each read alone and seldom), cells that may not be read along,
 * and the longest read that works. Bounded by the number of signals: an entry is a signal's range or the gap before one.
 */
export class Quarantine {
  /** Grows when the plan must be made anew. */
  version = 0;
  readonly retryMs: number;
  readonly learnedMax = new Map<number, number>();
  readonly #units = new Map<number, Map<string, Entry>>();
  /** Whole reads of a table that the unit does not have; they don't change the plan. */
  readonly #held = new Map<string, { meaning: FailureMeaning; retryAtMs: number }>();

  constructor(retryMs: number = QUARANTINE_RETRY_MS) {
    this.retryMs = retryMs;
  }

  ranges(): ReadonlyMap<number, readonly CellRange[]> {
    return new Map([...this.#units].map(([unitId, entries]) => [unitId, [...entries.values()].map((e) => e.range)]));
  }

  /** The known failure of exactly this read, while it is not time to try again. */
  known(unitId: number, range: CellRange, nowMs: number): FailureMeaning | undefined {
    const held = this.#held.get(`${unitId}|${keyOf(range)}`);
    if (held !== undefined && nowMs < held.retryAtMs) return held.meaning;
    const entry = this.#units.get(unitId)?.get(keyOf(range));
    return entry !== undefined && entry.meaning !== null && nowMs < entry.retryAtMs ? entry.meaning : undefined;
  }

  failed(unitId: number, range: CellRange, meaning: FailureMeaning, nowMs: number): void {
    // What the device itself calls a failure may pass; an address that it doesn't have seldom appears.
    this.#put(unitId, range, meaning, nowMs + (meaning.transient ? this.retryMs / 10 : this.retryMs));
  }

  avoid(unitId: number, range: CellRange): void {
    this.#put(unitId, range, null, Number.POSITIVE_INFINITY);
  }

  hold(unitId: number, range: CellRange, meaning: FailureMeaning, nowMs: number): void {
    this.#held.set(`${unitId}|${keyOf(range)}`, { meaning, retryAtMs: nowMs + this.retryMs });
  }

  limit(unitId: number, registersMax: number): void {
    if (registersMax >= (this.learnedMax.get(unitId) ?? Number.POSITIVE_INFINITY)) return;
    this.learnedMax.set(unitId, Math.max(1, registersMax));
    this.version += 1;
  }

  /** The range answered: it may be read with others again. */
  answered(unitId: number, range: CellRange): void {
    this.#held.delete(`${unitId}|${keyOf(range)}`);
    if (this.#units.get(unitId)?.delete(keyOf(range)) === true) this.version += 1;
  }

  /** After a new connection the device may be another one, or have other settings. */
  clear(): void {
    this.#units.clear();
    this.#held.clear();
    this.learnedMax.clear();
    this.version += 1;
  }

  /** Forgets what no longer belongs to any signal. */
  keepOnly(unitRanges: ReadonlyMap<number, readonly CellRange[]>): void {
    this.#held.clear();
    for (const [unitId, entries] of this.#units) {
      const kept = unitRanges.get(unitId) ?? [];
      for (const [key, { range, meaning }] of entries) {
        if (meaning !== null && !kept.some((other) => overlap(range, other))) entries.delete(key);
      }
      if (kept.length === 0) this.#units.delete(unitId);
    }
  }

  #put(unitId: number, range: CellRange, meaning: FailureMeaning | null, retryAtMs: number): void {
    const entries = this.#units.get(unitId) ?? new Map<string, Entry>();
    this.#units.set(unitId, entries);
    const key = keyOf(range);
    if (!entries.has(key)) this.version += 1;
    entries.set(key, { range, meaning, retryAtMs });
  }
}

function keyOf({ table, address, count }: CellRange): string {
  return `${table}|${address}|${count}`;
}
