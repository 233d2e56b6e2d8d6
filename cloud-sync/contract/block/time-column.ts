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

export interface TimeColumn {
  /** Encoding: TimeWay of each sample. */
  readonly ways: Uint8Array;
  /** NaN for null; encoding: read, decoding: filled. */
  readonly timesMs: Float64Array;
  /** What each sample's Default is. */
  readonly defaultsMs: Float64Array;
  /** Explicit times are predicted as far from the signal's time before as that was from the one before it, else as far from the event. */
  readonly isPeriodic: boolean;
}

const word = new DataView(new ArrayBuffer(8));

/** @param eventOf the telemetry event of each sample @param eventTicks of each telemetry event */
export function codeTimeColumn(
  coder: Coder,
  column: TimeColumn,
  eventOf: Uint32Array,
  eventTicks: Float64Array,
  slots: TimeSlots,
): void {
  const { ways, timesMs, defaultsMs } = column;
  const count = ways.length;
  const isUniform = coder.direct(!coder.decoding && ways.every((way) => way === ways[0]) ? 1 : 0, 1) === 1;
  const uniform = isUniform ? coder.direct(ways[0] as number, WAY_BITS) : 0;
  if (isUniform && uniform === TimeWay.Default) {
    if (coder.decoding) timesMs.set(defaultsMs);
    return;
  }
  const isPeriodic = coder.direct(column.isPeriodic ? 1 : 0, 1) === 1;
  const wayModels = isUniform ? fairBits(0) : fairBits(256);
  const explicit = new ExplicitTimes(isPeriodic);
  let way = uniform;
  let before = Number.NaN;
  for (let i = 0; i < count; i++) {
    if (!isUniform) way = codeTree(coder, wayModels, way * 16, WAY_BITS, ways[i] as number);
    const t = eventOf[i] as number;
    let timeMs = Number.NaN;
    if (way === TimeWay.Default) timeMs = defaultsMs[i] as number;
    else if (way === TimeWay.Before) timeMs = before;
    else if (way === TimeWay.Explicit) timeMs = explicit.code(coder, timesMs[i] as number, eventTicks[t] as number);
    else if (way >= TimeWay.Slot) {
      const at = (slots.first[t] as number) + way - TimeWay.Slot;
      if (at >= (slots.first[t + 1] as number))
        throw malformed(`time ${way - TimeWay.Slot} of an event that has fewer`);
      timeMs = (slots.ticks[at] as number) / TICKS_PER_MS;
    }
    if (coder.decoding) timesMs[i] = timeMs;
    before = timeMs;
  }
}

class ExplicitTimes {
  readonly #isPeriodic: boolean;
  readonly #code = new TickCode();
  readonly #rawBit = fairBits(1);
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
