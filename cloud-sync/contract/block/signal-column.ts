import { malformed } from "./block-error.ts";
import { decodeColumn } from "./column-decoder.ts";
import { gatherNumbers } from "./gather.ts";
import { allEvents, codeDense, codeGaps, PRESENCE_BITS, Presence } from "./presence.ts";
import { RangeDecoder } from "./range-decoder.ts";
import type { Budget } from "./text-pack.ts";
import { codeTimeColumn, fillTimes } from "./time-column.ts";
import type { TimeSlots } from "./time-slots.ts";
import type { Values } from "./values.ts";

/** What the samples of a block share: the times of its telemetry events and their slots. */
export interface TelemetryFrame {
  /** Of each telemetry event. */
  readonly timesMs: Float64Array;
  readonly ticks: Float64Array;
  readonly source: TimeSlots;
  readonly server: TimeSlots;
  readonly received: TimeSlots;
  /** How most signals tell their source, server and received times: TimeWay each, never Explicit. */
  readonly usualWays: readonly number[];
}

/** One signal's samples, in their order. */
export interface SignalColumn {
  /** Telemetry event (not block event) of each sample. */
  readonly eventOf: Uint32Array;
  readonly sourceMs: Float64Array;
  readonly serverMs: Float64Array;
  readonly receivedMs: Float64Array;
  readonly statusCodes: Uint32Array;
  readonly values: Values;
}

const NO_WAYS = new Uint8Array(0);
const U32_MAX = 0xffff_ffff;

/** @param like gives the events of another signal, which must not itself refer to a third */
export function decodeSignal(
  chunk: Uint8Array,
  count: number,
  frame: TelemetryFrame,
  budget: Budget,
  like: (signal: number) => Uint32Array,
): SignalColumn {
  const coder = new RangeDecoder(chunk);
  const eventOf = decodePresence(coder, count, frame.timesMs.length, like);
  const sourceMs = new Float64Array(count);
  const serverMs = new Float64Array(count);
  const receivedMs = new Float64Array(count);
  const isUsual = coder.direct(0, 1) === 1;
  const times = (kind: number, timesMs: Float64Array, defaultsMs: Float64Array | null, slots: TimeSlots): void => {
    const column = { ways: isUsual ? NO_WAYS : new Uint8Array(count), timesMs, defaultsMs, isPeriodic: false };
    if (isUsual) fillTimes(column, frame.usualWays[kind] as number, eventOf, slots);
    else codeTimeColumn(coder, column, eventOf, frame.ticks, slots);
  };
  times(0, sourceMs, null, frame.source);
  times(1, serverMs, sourceMs, frame.server);
  times(2, receivedMs, gatherNumbers(frame.timesMs, eventOf), frame.received);
  const statusCodes = new Uint32Array(count);
  if (coder.direct(0, 1) === 1) {
    const { numbers, others } = decodeColumn(coder, count, budget);
    for (let i = 0; i < count; i++) {
      const status = numbers[i] as number;
      if (others !== null || !(status >= 0 && status <= U32_MAX && Number.isInteger(status)))
        throw malformed(`status code ${status}`);
      statusCodes[i] = status;
    }
  }
  const values = decodeColumn(coder, count, budget);
  coder.end("a signal's column");
  return { eventOf, sourceMs, serverMs, receivedMs, statusCodes, values };
}

/** Only in which events a signal is. @throws BlockError malformed when it refers to another, which `like` then must not do */
export function decodePresence(
  coder: RangeDecoder,
  count: number,
  events: number,
  like: (signal: number) => Uint32Array,
): Uint32Array {
  const presence = coder.direct(0, PRESENCE_BITS);
  if (presence === Presence.All) {
    if (count !== events) throw malformed(`${count} samples, one in each of ${events} events`);
    return allEvents(events);
  }
  if (presence === Presence.Like) {
    const eventOf = like(coder.direct(0, 8) * 256 + coder.direct(0, 8));
    if (eventOf.length !== count) throw malformed(`${count} samples like those of a signal that has ${eventOf.length}`);
    return eventOf;
  }
  const eventOf = new Uint32Array(count);
  if (presence === Presence.Dense) codeDense(coder, eventOf, events);
  else codeGaps(coder, eventOf, events);
  return eventOf;
}
