import type { Clock } from "../../kernel/clock.ts";
import type { UnitBreakers } from "./breaker.ts";
import type { Line } from "./line.ts";
import type { CellRange, PlannedItem, PlannedRead } from "./plan.ts";
import type { Quarantine } from "./quarantine.ts";
import { type FailureMeaning, meaningOf } from "./status-map.ts";

/** Pause before a device that said "busy" is asked again. */
const BUSY_PAUSE_MS = 20;
const PATIENCE = 3;
const WHOLE_FAILURES_MAX = 10_000;

/** One signal's cells, or why there are none. */
export type ItemResult =
  | { readonly item: PlannedItem; readonly words: readonly number[] }
  | { readonly item: PlannedItem; readonly failure: FailureMeaning };

/** Items that lie on exactly the same cells: they stand or fall together. */
type Place = readonly PlannedItem[];
type Outcome = { words: readonly number[] } | { failure: FailureMeaning };

/**
 * Carries out one planned read: retries, the unit's breaker, and bisecting of a batch that the unit refuses, until the
 * cells at fault are known. A batch whose halves work is at odds with what lies between them, or with its length.
 */
export class UnitReader {
  readonly counters = { retries: 0, bisected: 0 };
  readonly #wholeFailures = new Map<string, number>();
  readonly #line: Line;
  readonly #clock: Clock;
  readonly #retries: number;
  readonly #breakers: UnitBreakers;
  readonly #quarantine: Quarantine;

  constructor(line: Line, clock: Clock, retries: number, breakers: UnitBreakers, quarantine: Quarantine) {
    this.#line = line;
    this.#clock = clock;
    this.#retries = retries;
    this.#breakers = breakers;
    this.#quarantine = quarantine;
  }

  /** @throws EdgeError DRIVER_NOT_CONNECTED when the line can't be had */
  async read(read: PlannedRead, signal: AbortSignal): Promise<ItemResult[]> {
    const known = this.#quarantine.known(read.unitId, read, this.#clock.monotonicMs());
    if (known !== undefined) return read.items.map((item) => ({ item, failure: known }));
    return this.#fetch(read.unitId, placesOf(read), read, signal);
  }

  async #fetch(unitId: number, places: readonly Place[], range: CellRange, signal: AbortSignal): Promise<ItemResult[]> {
    const outcome = await this.#request(unitId, range, signal);
    if ("words" in outcome) {
      if (places.length === 1) this.#quarantine.answered(unitId, range);
      return places.flat().map((item) => {
        const from = item.address - range.address;
        return { item, words: outcome.words.slice(from, from + item.count) };
      });
    }
    const { failure } = outcome;
    const nowMs = this.#clock.monotonicMs();
    if (failure.blames === "address" && places.length > 1) {
      if (!failure.transient || !(await this.#allFails(unitId, places, range, signal))) {
        return this.#bisect(unitId, places, range, signal);
      }
      return places.flat().map((item) => ({ item, failure }));
    }
    if (failure.blames === "address") this.#quarantine.failed(unitId, range, failure, nowMs);
    if (failure.blames === "table") this.#quarantine.hold(unitId, range, failure, nowMs);
    return places.flat().map((item) => ({ item, failure }));
  }

  /**
   * A device in trouble answers "failure" to everything for a while; taking such a batch apart would cost two requests a
   * signal and leave each in quarantine. So when its first and last value fail alone as well, it is left whole, but for
   * every `PATIENCE`-th time in a row, in case that just these two can't be read.
   */
  async #allFails(unitId: number, places: readonly Place[], whole: CellRange, signal: AbortSignal): Promise<boolean> {
    const key = `${unitId}|${whole.table}|${whole.address}|${whole.count}`;
    const times = (this.#wholeFailures.get(key) ?? 0) + 1;
    this.#wholeFailures.delete(key);
    if (times >= PATIENCE) return false;
    for (const place of [places.slice(0, 1), places.slice(-1)]) {
      const outcome = await this.#request(unitId, spanOf(place, whole), signal);
      if ("words" in outcome) return false;
    }
    if (this.#wholeFailures.size < WHOLE_FAILURES_MAX) this.#wholeFailures.set(key, times);
    return true;
  }

  async #bisect(
    unitId: number,
    places: readonly Place[],
    whole: CellRange,
    signal: AbortSignal,
  ): Promise<ItemResult[]> {
    this.counters.bisected += 1;
    const middle = places.length >> 1;
    const [left, right] = [places.slice(0, middle), places.slice(middle)];
    const [leftRange, rightRange] = [spanOf(left, whole), spanOf(right, whole)];
    const results = await this.#fetch(unitId, left, leftRange, signal);
    results.push(...(await this.#fetch(unitId, right, rightRange, signal)));
    if (results.every((result) => "words" in result)) {
      const leftEnd = leftRange.address + leftRange.count;
      const longest = Math.max(leftRange.count, rightRange.count);
      if (rightRange.address > leftEnd) {
        this.#quarantine.avoid(unitId, { ...whole, address: leftEnd, count: rightRange.address - leftEnd });
      } else if (longest < whole.count) {
        const isBits = whole.table === "coil" || whole.table === "discrete";
        this.#quarantine.limit(unitId, isBits ? Math.ceil(longest / 16) : longest);
      }
    }
    return results;
  }

  async #request(unitId: number, range: CellRange, signal: AbortSignal): Promise<Outcome> {
    for (let attempt = 0; ; attempt += 1) {
      const blocked = this.#breakers.blocked(unitId, this.#clock.monotonicMs());
      if (blocked !== undefined) return { failure: blocked };
      const answer = await this.#line.read({ ...range, unitId }, signal);
      if (answer.kind === "data") {
        this.#breakers.answered(unitId);
        return { words: answer.words };
      }
      const failure = meaningOf(answer);
      if (signal.aborted) return { failure };
      if (failure.blames === "unit") this.#breakers.failed(unitId, failure, this.#clock.monotonicMs());
      else this.#breakers.answered(unitId);
      if (!failure.transient || attempt >= this.#retries) return { failure };
      this.counters.retries += 1;
      if (answer.kind === "exception") await this.#clock.sleep(BUSY_PAUSE_MS, signal);
    }
  }
}

function placesOf(read: PlannedRead): Place[] {
  return [...Map.groupBy(read.items, (item) => `${item.address}|${item.count}`).values()];
}

function spanOf(places: readonly Place[], { table }: CellRange): CellRange {
  const items = places.flat();
  const address = Math.min(...items.map((item) => item.address));
  const end = Math.max(...items.map((item) => item.address + item.count));
  return { table, address, count: end - address };
}
