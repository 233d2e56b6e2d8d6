import { EVENT_TYPES } from "../event.ts";
import type { SampleValue } from "../sample.ts";
import type { BlockContent } from "./block-content.ts";
import type { ColumnEncoder } from "./column-encoder.ts";
import { gatherBytes, gatherNumbers, gatherWords, placesByGroup } from "./gather.ts";
import { encodePresence, type KnownPresences } from "./presence-encoder.ts";
import { RangeEncoder } from "./range-encoder.ts";
import { encodeOrder } from "./sample-order.ts";
import { signalOrder } from "./signal-order.ts";
import { codeTimeColumn, TimeWay, WAY_BITS } from "./time-column.ts";
import { planTimes } from "./time-planner.ts";
import { codeTimeSlots, type SlotPlan, type TimeSlots } from "./time-slots.ts";
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

/** Source, server or received times of all samples. */
interface Times {
  readonly timesMs: Float64Array;
  readonly ways: Uint8Array;
  readonly plan: SlotPlan;
  /** Of each signal; MIXED when its samples go different ways. */
  readonly wayOfSignal: Uint8Array;
}
const MIXED = 0xff;

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
    let telemetry = 0;
    for (const type of content.types) if (type === TELEMETRY) telemetry++;
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
    this.#signals = gatherWords(order.placeOf, content.signals);
    this.#otherOf = content.others.length === 0 ? null : new Int32Array(this.#samples).fill(-1);
    content.othersAt.forEach((sample, other) => {
      if (this.#otherOf !== null) this.#otherOf[sample] = other;
    });
  }

  encode(): EncodedTelemetry {
    const { sourceMs, serverMs, receivedMs } = this.#content;
    const eventMs = gatherNumbers(this.#eventMs, this.#eventOf);
    const places = placesByGroup(this.#signals, this.#names.length);
    const kinds = [
      this.#plan(sourceMs, null, false, places),
      this.#plan(serverMs, sourceMs, false, places),
      this.#plan(receivedMs, eventMs, true, places),
    ];
    const coder = new RangeEncoder();
    const slots = kinds.map(({ plan }) => codeTimeSlots(coder, this.#eventTicks, plan));
    const usualWays = kinds.map(({ wayOfSignal }) => usualOf(wayOfSignal));
    for (const way of usualWays) coder.direct(way, WAY_BITS);
    const slotBytes = coder.finish();
    const known: KnownPresences = new Map();
    const chunks = places.map((mine, signal) => {
      const eventOf = gatherWords(this.#eventOf, mine);
      encodePresence(coder, signal, eventOf, this.#eventMs.length, known);
      const isUsual = kinds.every(({ wayOfSignal }, kind) => wayOfSignal[signal] === usualWays[kind]);
      coder.direct(isUsual ? 1 : 0, 1);
      for (const [kind, times] of isUsual ? [] : kinds.entries()) {
        this.#encodeTimes(coder, times, kind === 0, mine, eventOf, slots[kind] as TimeSlots);
      }
      this.#encodeStatus(coder, mine);
      this.#columns.encode(coder, this.#values(mine));
      return coder.finish();
    });
    const order = encodeOrder(this.#signals, this.#firstSample);
    return { names: this.#names, counts: places.map(({ length }) => length), chunks, slots: slotBytes, order };
  }

  #plan(
    timesMs: Float64Array,
    defaultsMs: Float64Array | null,
    keepsSlots: boolean,
    places: readonly Uint32Array[],
  ): Times {
    const samples = {
      signals: this.#signals,
      firstSample: this.#firstSample,
      eventTicks: this.#eventTicks,
      signalCount: this.#names.length,
    };
    const { ways, slots } = planTimes(samples, timesMs, defaultsMs, keepsSlots);
    const wayOfSignal = Uint8Array.from(places, (mine) => commonWay(ways, mine));
    return { timesMs, ways, plan: slots, wayOfSignal };
  }

  #encodeTimes(
    coder: RangeEncoder,
    { timesMs, ways }: Times,
    isPeriodic: boolean,
    mine: Uint32Array,
    eventOf: Uint32Array,
    slots: TimeSlots,
  ): void {
    const column = {
      ways: gatherBytes(ways, mine),
      timesMs: gatherNumbers(timesMs, mine),
      defaultsMs: null,
      isPeriodic,
    };
    codeTimeColumn(coder, column, eventOf, this.#eventTicks, slots);
  }

  #encodeStatus(coder: RangeEncoder, mine: Uint32Array): void {
    const { statusCodes } = this.#content;
    let isGood = true;
    for (let i = 0; i < mine.length && isGood; i++) isGood = statusCodes[mine[i] as number] === 0;
    coder.direct(isGood ? 0 : 1, 1);
    if (!isGood) this.#columns.encode(coder, valuesOf(new Float64Array(gatherWords(statusCodes, mine))));
  }

  #values(mine: Uint32Array): Values {
    const numbers = gatherNumbers(this.#content.numbers, mine);
    const otherOf = this.#otherOf;
    if (otherOf === null || mine.every((i) => otherOf[i] === -1)) return valuesOf(numbers);
    const others = new Array<SampleValue | undefined>(mine.length);
    for (let i = 0; i < mine.length; i++) others[i] = this.#content.others[otherOf[mine[i] as number] as number];
    return { numbers, others };
  }
}

function commonWay(ways: Uint8Array, mine: Uint32Array): number {
  const first = ways[mine[0] as number] as number;
  for (let i = 1; i < mine.length; i++) if (ways[mine[i] as number] !== first) return MIXED;
  return first;
}

/** What most signals do, of those that do the same throughout. */
function usualOf(wayOfSignal: Uint8Array): number {
  const counts = new Uint32Array(256);
  for (const way of wayOfSignal) counts[way] = (counts[way] as number) + 1;
  counts[MIXED] = 0;
  counts[TimeWay.Explicit] = 0;
  let usual = 0;
  for (let way = 1; way < counts.length; way++) if ((counts[way] as number) > (counts[usual] as number)) usual = way;
  return usual;
}
