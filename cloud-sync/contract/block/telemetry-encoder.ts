import { EVENT_TYPES } from "../event.ts";
import type { SampleValue } from "../sample.ts";
import type { BlockContent } from "./block-content.ts";
import type { ColumnEncoder } from "./column-encoder.ts";
import { codeDense, codeGaps, isAll, mayBeDense, PRESENCE_BITS, Presence } from "./presence.ts";
import { RangeEncoder } from "./range-encoder.ts";
import { inRounds, OrderCode } from "./sample-order.ts";
import { signalOrder } from "./signal-order.ts";
import { codeTimeColumn } from "./time-column.ts";
import { planTimes, type TimePlan } from "./time-planner.ts";
import { codeTimeSlots, type TimeSlots } from "./time-slots.ts";
import { ticksOf } from "./time-ticks.ts";
import { type Values, valuesOf } from "./values.ts";

export interface EncodedTelemetry {
  /** Signals that have samples, in the directory's order; counts and chunks likewise. */
  readonly names: readonly string[];
  readonly counts: readonly number[];
  readonly chunks: readonly Uint8Array[];
  readonly slots: Buffer;
  readonly order: Buffer;
}
const TELEMETRY = EVENT_TYPES.indexOf("telemetry");

export function encodeTelemetry(content: BlockContent, columns: ColumnEncoder): EncodedTelemetry {
  return new TelemetryEncoder(content, columns).encode();
}

class TelemetryEncoder {
  readonly #content: BlockContent;
  readonly #columns: ColumnEncoder;
  readonly #samples: number;
  /** Of each telemetry event, and one more. */
  readonly #firstSample: Uint32Array;
  readonly #eventMs: Float64Array;
  readonly #eventTicks: Float64Array;
  /** Telemetry event of each sample. */
  readonly #eventOf: Uint32Array;
  /** Signal of each sample, by the directory. */
  readonly #signals: Uint32Array;
  readonly #names: string[];
  /** Place in `others` of each sample; -1 for a plain number. */
  readonly #otherOf: Int32Array | null;

  constructor(content: BlockContent, columns: ColumnEncoder) {
    this.#content = content;
    this.#columns = columns;
    this.#samples = content.numbers.length;
    const telemetry = content.types.reduce((sum, type) => sum + (type === TELEMETRY ? 1 : 0), 0);
    this.#firstSample = new Uint32Array(telemetry + 1).fill(this.#samples);
    this.#eventMs = new Float64Array(telemetry);
    this.#eventOf = new Uint32Array(this.#samples);
    for (let event = 0, t = 0; event < content.types.length; event++) {
      if (content.types[event] !== TELEMETRY) continue;
      const from = content.firstSample[event] as number;
      this.#eventOf.fill(t, from, content.firstSample[event + 1] ?? this.#samples);
      this.#firstSample[t] = from;
      this.#eventMs[t++] = content.timesMs[event] as number;
    }
    this.#eventTicks = this.#eventMs.map((timeMs) => ticksOf(timeMs) || 0);
    const order = signalOrder(content.signals, this.#firstSample, content.signalNames.length);
    this.#names = Array.from(order.refs, (ref) => content.signalNames[ref] as string);
    this.#signals = content.signals.map((ref) => order.placeOf[ref] as number);
    this.#otherOf = content.others.length === 0 ? null : new Int32Array(this.#samples).fill(-1);
    content.othersAt.forEach((sample, other) => {
      if (this.#otherOf !== null) this.#otherOf[sample] = other;
    });
  }

  encode(): EncodedTelemetry {
    const { sourceMs, serverMs, receivedMs } = this.#content;
    const noTimes = new Float64Array(this.#samples).fill(Number.NaN);
    const eventMs = Float64Array.from(this.#eventOf, (t) => this.#eventMs[t] as number);
    const plans = [
      { timesMs: sourceMs, defaultsMs: noTimes, plan: this.#plan(sourceMs, noTimes, false) },
      { timesMs: serverMs, defaultsMs: sourceMs, plan: this.#plan(serverMs, sourceMs, false) },
      { timesMs: receivedMs, defaultsMs: eventMs, plan: this.#plan(receivedMs, eventMs, true) },
    ];
    const coder = new RangeEncoder();
    const slots = plans.map(({ plan }) => codeTimeSlots(coder, this.#eventTicks, plan.slots));
    const slotBytes = this.#eventMs.length === 0 ? Buffer.alloc(0) : coder.finish();
    const places = placesBySignal(this.#signals, this.#names.length);
    const presences = new Map<number, { signal: number; eventOf: Uint32Array }[]>();
    const chunks = places.map((mine, signal) => {
      const eventOf = Uint32Array.from(mine, (i) => this.#eventOf[i] as number);
      this.#encodePresence(coder, signal, eventOf, presences);
      plans.forEach(({ timesMs, defaultsMs, plan }, kind) => {
        const column = {
          ways: Uint8Array.from(mine, (i) => plan.ways[i] as number),
          timesMs: Float64Array.from(mine, (i) => timesMs[i] as number),
          defaultsMs: Float64Array.from(mine, (i) => defaultsMs[i] as number),
          isPeriodic: kind === 0,
        };
        codeTimeColumn(coder, column, eventOf, this.#eventTicks, slots[kind] as TimeSlots);
      });
      this.#encodeStatus(coder, mine);
      this.#columns.encode(coder, this.#values(mine));
      return coder.finish();
    });
    return {
      names: this.#names,
      counts: places.map(({ length }) => length),
      chunks,
      slots: slotBytes,
      order: this.#order(),
    };
  }

  #plan(timesMs: Float64Array, defaultsMs: Float64Array, keepsSlots: boolean): TimePlan {
    const samples = {
      signals: this.#signals,
      firstSample: this.#firstSample,
      eventTicks: this.#eventTicks,
      signalCount: this.#names.length,
    };
    return planTimes(samples, timesMs, defaultsMs, keepsSlots);
  }

  #encodePresence(
    coder: RangeEncoder,
    signal: number,
    eventOf: Uint32Array,
    known: Map<number, { signal: number; eventOf: Uint32Array }[]>,
  ): void {
    const events = this.#eventMs.length;
    if (isAll(eventOf, events)) {
      coder.direct(Presence.All, PRESENCE_BITS);
      return;
    }
    const key = eventOf.reduce((hash, t) => (Math.imul(hash, 31) + t) | 0, eventOf.length);
    const alike = known.get(key) ?? [];
    const like = alike.find((other) => isSame(other.eventOf, eventOf));
    if (like !== undefined) {
      coder.direct(Presence.Like, PRESENCE_BITS);
      coder.direct(like.signal >> 8, 8);
      coder.direct(like.signal & 0xff, 8);
      return;
    }
    known.set(key, [...alike, { signal, eventOf }]);
    const trial = new RangeEncoder();
    codeGaps(trial, eventOf, events);
    const gapBytes = trial.estimatedBytes;
    trial.reset();
    if (mayBeDense(eventOf.length, events)) codeDense(trial, eventOf, events);
    const isDense = mayBeDense(eventOf.length, events) && trial.estimatedBytes <= gapBytes;
    coder.direct(isDense ? Presence.Dense : Presence.Gaps, PRESENCE_BITS);
    if (isDense) codeDense(coder, eventOf, events);
    else codeGaps(coder, eventOf, events);
  }

  #encodeStatus(coder: RangeEncoder, mine: Uint32Array): void {
    const statusCodes = Float64Array.from(mine, (i) => this.#content.statusCodes[i] as number);
    const isGood = statusCodes.every((status) => status === 0);
    coder.direct(isGood ? 0 : 1, 1);
    if (!isGood) this.#columns.encode(coder, valuesOf(statusCodes));
  }

  #values(mine: Uint32Array): Values {
    const numbers = Float64Array.from(mine, (i) => this.#content.numbers[i] as number);
    const otherOf = this.#otherOf;
    if (otherOf === null || mine.every((i) => otherOf[i] === -1)) return valuesOf(numbers);
    const others = Array.from(mine, (i): SampleValue | undefined => this.#content.others[otherOf[i] as number]);
    return { numbers, others };
  }

  /** Nothing when every event has its samples in the usual order. */
  #order(): Buffer {
    const events = Array.from(this.#eventMs, (_, t) => {
      const order = this.#signals.subarray(this.#firstSample[t], this.#firstSample[t + 1]);
      return { order, signals: order.slice().sort() };
    });
    if (events.every(({ order, signals }) => isSame(order, inRounds(signals)))) return Buffer.alloc(0);
    const coder = new RangeEncoder();
    const code = new OrderCode();
    for (const { order, signals } of events) code.code(coder, signals, order.slice());
    return coder.finish();
  }
}

function isSame(a: Uint32Array, b: Uint32Array): boolean {
  return a.length === b.length && a.every((value, i) => value === b[i]);
}

/** The samples of each signal, in their order. */
function placesBySignal(signals: Uint32Array, count: number): Uint32Array[] {
  const counts = new Uint32Array(count);
  for (const signal of signals) counts[signal] = (counts[signal] as number) + 1;
  const places = Array.from(counts, (length) => new Uint32Array(length));
  counts.fill(0);
  signals.forEach((signal, i) => {
    const at = counts[signal] as number;
    counts[signal] = at + 1;
    (places[signal] as Uint32Array)[at] = i;
  });
  return places;
}
