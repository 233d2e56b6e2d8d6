import { EVENT_TYPES } from "../event.ts";
import { malformed } from "./block-error.ts";
import type { FullHead } from "./block-head.ts";
import { decodeColumn } from "./column-decoder.ts";
import { gatherNumbers } from "./gather.ts";
import { RangeDecoder } from "./range-decoder.ts";
import type { Budget } from "./text-pack.ts";
import { ticksOf } from "./time-ticks.ts";

const TELEMETRY = EVENT_TYPES.indexOf("telemetry");

/** The first section: time, type and offset of each event. */
export class EventColumns {
  readonly timesMs: Float64Array;
  /** Index into EVENT_TYPES. */
  readonly types: Uint32Array;
  /** Index in the block of each telemetry event. */
  readonly telemetry: Uint32Array;
  /** Of each telemetry event; ticks are 0 where the time is no whole number of them. */
  readonly telemetryMs: Float64Array;
  readonly telemetryTicks: Float64Array;
  readonly #head: FullHead;
  readonly #coder: RangeDecoder;
  readonly #budget: Budget;
  #offsets: Float64Array | undefined;

  constructor(section: Uint8Array, head: FullHead, budget: Budget) {
    this.#head = head;
    this.#budget = budget;
    this.#coder = new RangeDecoder(section);
    this.timesMs = this.#column(head.events, "time", Number.isFinite);
    const types = this.#column(head.events, "type", (type) => EVENT_TYPES[type] !== undefined);
    this.types = new Uint32Array(types);
    const telemetry = new Uint32Array(head.events);
    let count = 0;
    for (let i = 0; i < head.events; i++) if (types[i] === TELEMETRY) telemetry[count++] = i;
    this.telemetry = telemetry.slice(0, count);
    this.telemetryMs = gatherNumbers(this.timesMs, this.telemetry);
    this.telemetryTicks = this.telemetryMs.map((timeMs) => ticksOf(timeMs) || 0);
  }

  offsets(): Float64Array {
    this.#offsets ??= this.#decodeOffsets();
    return this.#offsets;
  }

  #decodeOffsets(): Float64Array {
    const { events, firstOffset, lastOffset } = this.#head;
    const offsets = new Float64Array(events);
    const steps = this.#column(Math.max(0, events - 1), "offset", Number.isSafeInteger);
    let offset = firstOffset;
    for (let i = 0; i < events; i++) {
      if (i > 0) offset += steps[i - 1] as number;
      if (!(offset >= 0 && Number.isSafeInteger(offset))) throw malformed(`an event at offset ${offset}`);
      offsets[i] = offset;
    }
    if (events > 0 && offset !== lastOffset)
      throw malformed(`the last event is at offset ${offset}, not ${lastOffset}`);
    this.#coder.end("the columns of the events");
    return offsets;
  }

  #column(count: number, what: string, isValid: (value: number) => boolean): Float64Array {
    const { numbers, others } = decodeColumn(this.#coder, count, this.#budget);
    const bad = others === null ? numbers.find((value) => !isValid(value)) : Number.NaN;
    if (bad !== undefined) throw malformed(`an event has the ${what} ${bad}`);
    return numbers;
  }
}
