import { UNIT_BYTES } from "./ports.ts";

const DAY_MS = 86_400_000;
/** Of a day's units, kept back for what happens. */
const PRIORITY_SHARE = 0.05;
/** Part of a message that the last units may be off by. */
const MARGIN_UNITS = 0.5;
/** A window may take so much more than the ones before. */
const WINDOW_ROOM = 1.25;
/** Fresh frames cost about as if each began with so many milliseconds more: what a frame costs however short it is. */
const OVERHEAD_MS = 5_600;
/** Weight of the newest frame in the averages. */
const NEW_WEIGHT = 0.2;
/** How far the time to gather may go in one step, so that it does not swing. */
const STEP_FACTOR = 1.5;

export interface BudgetOptions {
  readonly unitsPerDayMax: number | undefined;
  readonly latencyMs: number;
  readonly latencyMsMax: number;
}

/**
 * Spreads a UTC day's units: fresh frames are gathered for longer when there would not be enough until midnight, a backlog
 * gets what is left. Bytes of a frame are modelled as growing with the time gathered plus OVERHEAD_MS, scaled to what the
 * recent ones had.
 */
export class Budget {
  #options: BudgetOptions;
  /** Bytes for each millisecond (and overhead) of recent windows. */
  #bytesPerMs = 0;
  /** Messages that a window took. */
  #messages = 1;
  #gatherMs: number;
  #backlogUnits = 0;
  #backlogMs = Number.NaN;

  constructor(options: BudgetOptions) {
    this.#options = options;
    this.#gatherMs = options.latencyMs;
  }

  get gatherMs(): number {
    return this.#gatherMs;
  }

  /** What a window of fresh events took. */
  gathered(spanMs: number, bytes: number, messages: number): void {
    const perMs = bytes / (spanMs + OVERHEAD_MS);
    const weight = this.#bytesPerMs === 0 ? 1 : NEW_WEIGHT;
    this.#bytesPerMs += (perMs - this.#bytesPerMs) * weight;
    this.#messages += (Math.max(1, messages) - this.#messages) * weight;
  }

  /** Chooses how long to gather from now on. @param usedUnits of the UTC day, both lanes */
  plan(nowMs: number, usedUnits: number): void {
    const { unitsPerDayMax, latencyMs, latencyMsMax } = this.#options;
    let wantedMs = latencyMs;
    if (unitsPerDayMax !== undefined && this.#bytesPerMs > 0) {
      const unitsPerMs = this.#leftUnits(nowMs, usedUnits) / restOfDayMs(nowMs);
      const fixed = (this.#bytesPerMs * OVERHEAD_MS) / UNIT_BYTES + MARGIN_UNITS * this.#messages;
      const spare = unitsPerMs - this.#bytesPerMs / UNIT_BYTES;
      // However little is in it, a message takes a unit.
      wantedMs = spare <= 0 ? latencyMsMax : Math.max(fixed / spare, this.#messages / unitsPerMs);
    }
    const steppedMs = Math.min(this.#gatherMs * STEP_FACTOR, Math.max(this.#gatherMs / STEP_FACTOR, wantedMs));
    this.#gatherMs = Math.min(latencyMsMax, Math.max(latencyMs, steppedMs));
  }

  /** Without what is kept for the priority lane. */
  #leftUnits(nowMs: number, usedUnits: number): number {
    const { unitsPerDayMax = Number.POSITIVE_INFINITY } = this.#options;
    return unitsPerDayMax - usedUnits - unitsPerDayMax * PRIORITY_SHARE * (restOfDayMs(nowMs) / DAY_MS);
  }

  /** Whether another window of fresh events may still go today. */
  hasUnits(nowMs: number, usedUnits: number): boolean {
    const { unitsPerDayMax } = this.#options;
    const wanted = Math.ceil(WINDOW_ROOM * this.#unitsPerWindow()) + 1;
    return unitsPerDayMax === undefined || this.#leftUnits(nowMs, usedUnits) >= wanted;
  }

  /** How long a backlog's frame of so many units has to wait so that the day's units last; 0 without a budget. */
  backlogWaitMs(nowMs: number, usedUnits: number, units: number): number {
    if (this.#options.unitsPerDayMax === undefined) return 0;
    const live = this.#gatherMs === 0 ? 0 : this.#unitsPerWindow() / this.#gatherMs;
    const left = this.#leftUnits(nowMs, usedUnits);
    const perMs = left < units + WINDOW_ROOM * this.#unitsPerWindow() + 1 ? 0 : left / restOfDayMs(nowMs) - live;
    if (Number.isNaN(this.#backlogMs) || nowMs < this.#backlogMs) this.#backlogMs = nowMs;
    if (perMs <= 0) return restOfDayMs(nowMs);
    this.#backlogUnits = Math.min(units, this.#backlogUnits + perMs * (nowMs - this.#backlogMs));
    this.#backlogMs = nowMs;
    if (this.#backlogUnits < units) return (units - this.#backlogUnits) / perMs;
    this.#backlogUnits -= units;
    return 0;
  }

  #unitsPerWindow(): number {
    const bytes = this.#bytesPerMs * (this.#gatherMs + OVERHEAD_MS);
    return Math.max(this.#messages, bytes / UNIT_BYTES + MARGIN_UNITS * this.#messages);
  }
}

export function restOfDayMs(nowMs: number): number {
  return DAY_MS - (((nowMs % DAY_MS) + DAY_MS) % DAY_MS);
}
