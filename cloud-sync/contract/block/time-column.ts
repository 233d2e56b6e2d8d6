import { fairBits } from "./adaptive-bit.ts";
import { malformed } from "./block-error.ts";
import { codeTree } from "./index-column.ts";
import { type Coder, directWide } from "./range-coder.ts";
import type { TimeSlots } from "./time-slots.ts";
import { checkedTicks, TICKS_PER_MS, TickCode, ticksOf, withinTime } from "./time-ticks.ts";

/** How a sample's time is told. */
export const TimeWay = {
  /** source: none; server: the source time; received: the event's time */
  Default: 0,
  /** None; not for received times. */
  Null: 1,
  /** As that of the signal's sample before. */
  Before: 2,
  /** By itself. */
  Explicit: 3,
  /** Slot n of the event as 4 + n. */
  Slot: 4,
} as const;
export const WAY_BITS = 4;
const WAYS = 16;
const LIKELY_SLOTS = 4;
const WAY_MODELS = WAYS + LIKELY_SLOTS;

export interface TimeColumn {
  /** Encoding: TimeWay of each sample. */
  readonly ways: Uint8Array;
  /** NaN for null; encoding: read, decoding: filled. */
  readonly timesMs: Float64Array;
  /** What each sample's Default is; null: no time. */
  readonly defaultsMs: Float64Array | null;
  /** Explicit times are predicted as far from the signal's time before as that was from the one before it, else as far from the event. */
  readonly isPeriodic: boolean;
}

const word = new DataView(new ArrayBuffer(8));

/**
 * 1 bit tells whether all samples go the same way, which then follows (4 bits). Unless that says it all (any way but Explicit),
 * 1 bit tells how explicit times are predicted, and for each sample follow its way, unless it is the same for all, and
 * for an explicit one a model whether it is 64 bits of a double, else the difference to its prediction (TickCode).
 * @param eventOf the telemetry event of each sample
 * @param eventTicks of each telemetry event
 */
export function codeTimeColumn(
  coder: Coder,
  column: TimeColumn,
  eventOf: Uint32Array,
  eventTicks: Float64Array,
  slots: TimeSlots,
): void {
  const { ways, timesMs } = column;
  const isUniform = coder.direct(!coder.decoding && isConstant(ways) ? 1 : 0, 1) === 1;
  const uniform = isUniform ? coder.direct(ways[0] as number, WAY_BITS) : 0;
  if (isUniform && uniform !== TimeWay.Explicit) {
    if (coder.decoding) fillTimes(column, uniform, eventOf, slots);
    return;
  }
  const isPeriodic = coder.direct(column.isPeriodic ? 1 : 0, 1) === 1;
  const wayModels = isUniform ? undefined : fairBits(WAYS * WAY_MODELS);
  const explicit = new ExplicitTimes(isPeriodic);
  let way = uniform;
  let before = Number.NaN;
  for (let i = 0; i < ways.length; i++) {
    if (wayModels) way = codeWay(coder, wayModels, way, ways[i] as number);
    if (way === TimeWay.Explicit) {
      before = explicit.code(coder, timesMs[i] as number, eventTicks[eventOf[i] as number] as number);
    } else if (coder.decoding) before = timeBy(column, way, i, before, eventOf[i] as number, slots);
    if (coder.decoding) timesMs[i] = before;
  }
}

/** By the way before: is it slot 0, 1, 2, 3 (a bit each, until one is a 1)? When none of them, a tree of four bits. */
function codeWay(coder: Coder, models: Int32Array, before: number, way: number): number {
  const at = before * WAY_MODELS;
  for (let slot = 0; slot < LIKELY_SLOTS; slot++) {
    const likely = TimeWay.Slot + slot;
    if (coder.bit(models, at + WAYS + slot, way === likely ? 1 : 0) === 1) return likely;
  }
  return codeTree(coder, models, at, WAY_BITS, way);
}

/** All samples' times in one way that needs nothing more. @throws BlockError malformed for a way or a slot that cannot be */
export function fillTimes(column: TimeColumn, way: number, eventOf: Uint32Array, slots: TimeSlots): void {
  const { timesMs, defaultsMs } = column;
  if (way === TimeWay.Explicit) throw malformed("times that are told by themselves are not there");
  if (way === TimeWay.Default && defaultsMs !== null) {
    timesMs.set(defaultsMs);
    return;
  }
  let before = Number.NaN;
  for (let i = 0; i < timesMs.length; i++) {
    before = timeBy(column, way, i, before, eventOf[i] as number, slots);
    timesMs[i] = before;
  }
}

function timeBy(
  { defaultsMs }: TimeColumn,
  way: number,
  i: number,
  before: number,
  t: number,
  slots: TimeSlots,
): number {
  if (way >= TimeWay.Slot) {
    const at = (slots.first[t] as number) + way - TimeWay.Slot;
    if (at >= (slots.first[t + 1] as number)) throw malformed(`time ${way - TimeWay.Slot} of an event that has fewer`);
    return (slots.ticks[at] as number) / TICKS_PER_MS;
  }
  if (way === TimeWay.Default && defaultsMs !== null) return defaultsMs[i] as number;
  return way === TimeWay.Before ? before : Number.NaN;
}

export function isConstant(ways: Uint8Array): boolean {
  for (let i = 1; i < ways.length; i++) if (ways[i] !== ways[0]) return false;
  return true;
}

class ExplicitTimes {
  readonly #isPeriodic: boolean;
  readonly #rawBit = fairBits(1);
  #code: TickCode | undefined;
  #last = Number.NaN;
  #period = 0;
  #fromEvent = 0;

  constructor(isPeriodic: boolean) {
    this.#isPeriodic = isPeriodic;
  }

  code(coder: Coder, timeMs: number, eventTicks: number): number {
    const ticks = ticksOf(timeMs);
    if (coder.bit(this.#rawBit, 0, Number.isNaN(ticks) ? 1 : 0) === 1) {
      word.setFloat64(0, timeMs);
      word.setUint32(0, directWide(coder, word.getUint32(0), 32));
      word.setUint32(4, directWide(coder, word.getUint32(4), 32));
      return word.getFloat64(0);
    }
    this.#code ??= new TickCode();
    const isFirst = Number.isNaN(this.#last);
    const isOnward = this.#isPeriodic && !isFirst;
    const predicted = withinTime(isOnward ? this.#last + this.#period : eventTicks + this.#fromEvent);
    const result = checkedTicks(predicted + this.#code.code(coder, ticks - predicted));
    if (!isFirst) this.#period = result - this.#last;
    this.#fromEvent = result - eventTicks;
    this.#last = result;
    return result / TICKS_PER_MS;
  }
}
