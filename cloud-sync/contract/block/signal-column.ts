import type { Budget } from "./blob.ts";
import { malformed } from "./block-error.ts";
import { decodeColumn } from "./column-decoder.ts";
import { allEvents, codeDense, codeGaps, PRESENCE_BITS, Presence } from "./presence.ts";
import { RangeDecoder } from "./range-decoder.ts";
import { codeTimeColumn } from "./time-column.ts";
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

export const LIKE_BITS = 16;
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
  const ways = new Uint8Array(count);
  const times = (timesMs: Float64Array, defaultsMs: Float64Array, slots: TimeSlots): void =>
    codeTimeColumn(coder, { ways, timesMs, defaultsMs, isPeriodic: false }, eventOf, frame.ticks, slots);
  times(sourceMs, new Float64Array(count).fill(Number.NaN), frame.source);
  times(serverMs, sourceMs, frame.server);
  const eventMs = new Float64Array(count);
  for (let i = 0; i < count; i++) eventMs[i] = frame.timesMs[eventOf[i] as number] as number;
  times(receivedMs, eventMs, frame.received);
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
