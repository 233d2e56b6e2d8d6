import { fairBits } from "./adaptive-bit.ts";
import { malformed } from "./block-error.ts";
import { codeTree } from "./index-column.ts";
import type { Coder } from "./range-coder.ts";
import { checkedTicks, TickCode, withinTime } from "./time-ticks.ts";

/**
 * The samples of one event share few distinct times. They stand in the event's slots, once, and each sample names its slot.
 * `first[t] .. first[t + 1]` are the slots of the block's t-th telemetry event within `ticks`.
 */
export interface TimeSlots {
  readonly first: Uint32Array;
  readonly ticks: Float64Array;
}
export const SLOTS_MAX = 12;
const COUNT_BITS = 4;
/** Slots from this one on share their model. */
const MODELS_MAX = 4;

/**
 * How slot 0 is predicted (1 bit), whether all events have the same number of slots (1 bit; then that number in 4 bits). For each
 * event: the number of slots unless it is the same for all (a tree of 4 bits by the number before), then each slot as the
 * difference to its prediction (TickCode; slots 0, 1, 2 have one each, 3 and further share one).
 * Slot 0 is predicted from the event's own time (as far from it as last time) (bit 0) or from slot 0 of the event before (bit 1; as far from it
 * as that was from the one before it); each other slot as far from the slot before it as last time.
 * @param eventTicks of each telemetry event
 */
export function codeTimeSlots(coder: Coder, eventTicks: Float64Array, planned: SlotPlan): TimeSlots {
  const events = eventTicks.length;
  const isPeriodic = coder.direct(planned.isPeriodic ? 1 : 0, 1) === 1;
  const isUniform = coder.direct(planned.isUniform ? 1 : 0, 1) === 1;
  const uniform = isUniform ? coder.direct(countAt(planned.slots, 0), COUNT_BITS) : 0;
  const first = new Uint32Array(events + 1);
  const ticks: number[] = [];
  const countModels = isUniform ? undefined : fairBits(256);
  const codes: TickCode[] = [];
  if (isUniform && uniform === 0) return { first, ticks: new Float64Array(0) };
  const gaps = new Float64Array(SLOTS_MAX);
  let count = 0;
  let lastTicks: number | undefined;
  let period = 0;
  let fromEvent = 0;
  for (let t = 0; t < events; t++) {
    count = countModels ? codeTree(coder, countModels, count * 16, COUNT_BITS, countAt(planned.slots, t)) : uniform;
    if (count > SLOTS_MAX) throw malformed(`an event with ${count} times`);
    const eventTime = eventTicks[t] as number;
    let before = 0;
    for (let slot = 0; slot < count; slot++) {
      const model = Math.min(slot, MODELS_MAX - 1);
      const code = codes[model] ?? new TickCode();
      codes[model] = code;
      let predicted = before + (gaps[slot] as number);
      if (slot === 0) predicted = isPeriodic && lastTicks !== undefined ? lastTicks + period : eventTime + fromEvent;
      predicted = withinTime(predicted);
      const wanted = coder.decoding
        ? predicted
        : (planned.slots.ticks[(planned.slots.first[t] as number) + slot] as number);
      const value = checkedTicks(predicted + code.code(coder, wanted - predicted));
      if (slot > 0) gaps[slot] = value - before;
      else {
        if (lastTicks !== undefined) period = value - lastTicks;
        lastTicks = value;
        fromEvent = value - eventTime;
      }
      before = value;
      ticks.push(value);
    }
    first[t + 1] = ticks.length;
  }
  return { first, ticks: Float64Array.from(ticks) };
}

export interface SlotPlan {
  readonly slots: TimeSlots;
  readonly isPeriodic: boolean;
  /** Every event has as many slots as the first. */
  readonly isUniform: boolean;
}

function countAt({ first }: TimeSlots, t: number): number {
  return t + 1 < first.length ? (first[t + 1] as number) - (first[t] as number) : 0;
}

export const NO_SLOTS: SlotPlan = {
  slots: { first: new Uint32Array(1), ticks: new Float64Array(0) },
  isPeriodic: false,
  isUniform: true,
};

export function slotPlan(slots: TimeSlots, eventTicks: Float64Array): SlotPlan {
  const events = eventTicks.length;
  let isUniform = true;
  let fromEvent = 0;
  let fromPeriod = 0;
  let last = 0;
  let period = 0;
  let offset = 0;
  for (let t = 0; t < events; t++) {
    if (countAt(slots, t) !== countAt(slots, 0)) isUniform = false;
    if (countAt(slots, t) === 0) continue;
    const value = slots.ticks[slots.first[t] as number] as number;
    fromEvent += Math.log2(1 + Math.abs(value - (eventTicks[t] as number) - offset));
    fromPeriod += Math.log2(1 + Math.abs(value - last - period));
    offset = value - (eventTicks[t] as number);
    period = value - last;
    last = value;
  }
  return { slots, isPeriodic: fromPeriod < fromEvent, isUniform };
}
