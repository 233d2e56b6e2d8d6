import { TimeWay } from "./time-column.ts";
import { SLOTS_MAX, type SlotPlan, slotPlan, type TimeSlots } from "./time-slots.ts";
import { ticksOf, withinTime } from "./time-ticks.ts";

/** Samples in the order of the events; `firstSample[t]..firstSample[t + 1]` are those of telemetry event t. */
export interface TimedSamples {
  readonly signals: Uint32Array;
  readonly firstSample: Uint32Array;
  readonly eventTicks: Float64Array;
  readonly signalCount: number;
}
export interface TimePlan {
  readonly ways: Uint8Array;
  readonly slots: SlotPlan;
}

/** So many different times of one event are looked at; the others are written by themselves. */
const CANDIDATES_MAX = 48;
/** Up to so many times each gets a slot even if it is used once. */
const FEW = 4;
const NO_SLOT = -1;

/**
 * Decides how each sample's time is told: as last time for this signal if that still holds, else by the cheapest way that does.
 * @param keepsSlots whether a signal keeps its slot from event to event (the requests of one poll), else slots go from the newest time back
 */
export function planTimes(
  samples: TimedSamples,
  timesMs: Float64Array,
  defaultsMs: Float64Array | null,
  keepsSlots: boolean,
): TimePlan {
  const { signals, firstSample, eventTicks, signalCount } = samples;
  const ways = new Uint8Array(timesMs.length);
  if (isSame(timesMs, defaultsMs)) return { ways, slots: slotPlan(noSlots(eventTicks.length), eventTicks) };
  const first = new Uint32Array(eventTicks.length + 1);
  const ticks: number[] = [];
  const before = new Float64Array(signalCount).fill(Number.NaN);
  const slotBefore = new Int32Array(signalCount).fill(NO_SLOT);
  const event = new EventSlots(keepsSlots);
  const strays = keepsSlots ? straysOf(samples, timesMs, defaultsMs) : new Uint8Array(signalCount);
  for (let t = 0; t < eventTicks.length; t++) {
    event.begin(eventTicks[t] as number);
    const from = firstSample[t] as number;
    const to = firstSample[t + 1] as number;
    for (let i = from; i < to; i++) {
      const signal = signals[i] as number;
      const timeMs = timesMs[i] as number;
      const byDefault = defaultsMs === null ? Number.NaN : (defaultsMs[i] as number);
      const way = simpleWay(timeMs, byDefault, before[signal] as number, strays[signal] === 1);
      before[signal] = timeMs;
      ways[i] = way;
      const keeps = keepsSlots && (slotBefore[signal] as number) !== NO_SLOT;
      if (way === TimeWay.Explicit || (keeps && !Number.isNaN(timeMs))) {
        event.want(timeMs, keeps ? (slotBefore[signal] as number) : NO_SLOT, way === TimeWay.Explicit);
      }
    }
    event.settle();
    // Neighbours mostly share their time: what was found for one holds for the next.
    let [lastMs, lastPreferred, slot] = [Number.NaN, NO_SLOT, NO_SLOT];
    for (let i = from; i < to; i++) {
      const signal = signals[i] as number;
      const way = ways[i] as number;
      const keeps = keepsSlots && (slotBefore[signal] as number) !== NO_SLOT;
      if (way !== TimeWay.Explicit && !keeps) continue;
      const timeMs = timesMs[i] as number;
      const preferred = slotBefore[signal] as number;
      if (timeMs !== lastMs || preferred !== lastPreferred) {
        slot = event.slotOf(ticksOf(timeMs), preferred);
        lastMs = timeMs;
        lastPreferred = preferred;
      }
      if (slot === NO_SLOT) continue;
      ways[i] = TimeWay.Slot + slot;
      if (keepsSlots) slotBefore[signal] = slot;
    }
    for (let slot = 0; slot < event.count; slot++) ticks.push(event.ticks[slot] as number);
    first[t + 1] = ticks.length;
  }
  return { ways, slots: slotPlan({ first, ticks: Float64Array.from(ticks) }, eventTicks) };
}

function simpleWay(timeMs: number, defaultMs: number, beforeMs: number, strays: boolean): number {
  if (Object.is(timeMs, defaultMs) && (!strays || Number.isNaN(timeMs))) return TimeWay.Default;
  if (Number.isNaN(timeMs)) return TimeWay.Null;
  return Object.is(timeMs, beforeMs) ? TimeWay.Before : TimeWay.Explicit;
}

function isSame(timesMs: Float64Array, defaultsMs: Float64Array | null): boolean {
  for (let i = 0; i < timesMs.length; i++) {
    if (!Object.is(timesMs[i], defaultsMs === null ? Number.NaN : defaultsMs[i])) return false;
  }
  return true;
}

/** Signals that do not keep to the default: those that keep a slot should have it also while it says the same as the default. */
function straysOf(
  { signals, signalCount }: TimedSamples,
  timesMs: Float64Array,
  defaultsMs: Float64Array | null,
): Uint8Array {
  const strays = new Uint8Array(signalCount);
  for (let i = 0; i < timesMs.length; i++) {
    const byDefault = defaultsMs === null ? Number.NaN : defaultsMs[i];
    if (!Object.is(timesMs[i], byDefault)) strays[signals[i] as number] = 1;
  }
  return strays;
}

function noSlots(events: number): TimeSlots {
  return { first: new Uint32Array(events + 1), ticks: new Float64Array(0) };
}

/** The slots of one event while they are chosen. */
class EventSlots {
  readonly ticks = new Float64Array(SLOTS_MAX);
  count = 0;
  readonly #keepsSlots: boolean;
  readonly #candidates = new Float64Array(CANDIDATES_MAX);
  readonly #uses = new Uint32Array(CANDIDATES_MAX);
  #candidateCount = 0;
  readonly #taken = new Uint8Array(SLOTS_MAX);
  readonly #gaps = new Float64Array(SLOTS_MAX);
  #eventTicks = 0;
  #lastMs = Number.NaN;
  #lastSlot = NO_SLOT;
  #lastCandidate = -1;

  constructor(keepsSlots: boolean) {
    this.#keepsSlots = keepsSlots;
  }

  begin(eventTicks: number): void {
    this.#candidateCount = 0;
    this.#lastCandidate = -1;
    this.#lastMs = Number.NaN;
    this.#eventTicks = eventTicks;
    this.#taken.fill(0);
    if (!this.#keepsSlots) this.count = 0;
  }

  /** A sample has this time and would like this slot. */
  want(timeMs: number, slot: number, needsOne: boolean): void {
    if (timeMs === this.#lastMs && slot === this.#lastSlot && this.#lastCandidate >= 0) {
      this.#uses[this.#lastCandidate] = (this.#uses[this.#lastCandidate] as number) + 1;
      return;
    }
    this.#lastMs = timeMs;
    this.#lastSlot = slot;
    this.#lastCandidate = -1;
    const ticks = ticksOf(timeMs);
    if (Number.isNaN(ticks)) return;
    if (slot !== NO_SLOT) {
      if (this.#taken[slot] === 0) this.#take(slot, ticks);
      if (this.ticks[slot] === ticks) return;
    }
    if (!needsOne) return;
    let candidate = 0;
    while (candidate < this.#candidateCount && this.#candidates[candidate] !== ticks) candidate++;
    if (candidate === CANDIDATES_MAX) return;
    if (candidate === this.#candidateCount) {
      this.#candidates[this.#candidateCount++] = ticks;
      this.#uses[candidate] = 0;
    }
    this.#uses[candidate] = (this.#uses[candidate] as number) + 1;
    this.#lastCandidate = candidate;
  }

  settle(): void {
    const chosen: { ticks: number; uses: number }[] = [];
    for (let i = 0; i < this.#candidateCount; i++) {
      const uses = this.#uses[i] as number;
      const ticks = this.#candidates[i] as number;
      if (uses > 1 || this.#candidateCount <= FEW) chosen.push({ ticks, uses });
    }
    if (chosen.length > SLOTS_MAX) chosen.sort((a, b) => b.uses - a.uses).splice(SLOTS_MAX);
    if (!this.#keepsSlots) chosen.sort((a, b) => b.ticks - a.ticks);
    for (const { ticks } of chosen) {
      if (this.slotOf(ticks, NO_SLOT) !== NO_SLOT) continue;
      const free = this.#taken.indexOf(0);
      if (free >= 0) this.#take(free, ticks);
    }
    this.#fill();
  }

  /** The preferred slot when it has this time, else any that has it. */
  slotOf(ticks: number, preferred: number): number {
    if (preferred !== NO_SLOT && this.#taken[preferred] === 1 && this.ticks[preferred] === ticks) return preferred;
    for (let slot = 0; slot < this.count; slot++)
      if (this.#taken[slot] === 1 && this.ticks[slot] === ticks) return slot;
    return NO_SLOT;
  }

  #take(slot: number, ticks: number): void {
    this.#taken[slot] = 1;
    this.ticks[slot] = ticks;
    if (slot >= this.count) this.count = slot + 1;
  }

  /** Slots that nobody uses this time get what they are predicted to be, which costs nothing. */
  #fill(): void {
    let before = this.#eventTicks;
    for (let slot = 0; slot < this.count; slot++) {
      if (this.#taken[slot] === 0) this.ticks[slot] = withinTime(before + (this.#gaps[slot] as number));
      this.#gaps[slot] = (this.ticks[slot] as number) - before;
      before = this.ticks[slot] as number;
    }
  }
}
