import { fairBits } from "./adaptive-bit.ts";
import { malformed } from "./block-error.ts";
import { IntegerCode } from "./integer-code.ts";
import type { Coder } from "./range-coder.ts";

/** In which telemetry events of the block a signal has its samples. */
export const Presence = {
  /** Once in each. */
  All: 0,
  /** A bit for each event by the three before, then a bit for each further sample in the same event. */
  Dense: 1,
  /** Events from one sample to the next, as the change of that distance. */
  Gaps: 2,
  /** As another signal, which says it by itself. */
  Like: 3,
} as const;
export const PRESENCE_BITS = 2;
/** Dense is for signals with at least one sample in so many events, which bounds the work of a decoder. */
const DENSE_EVENTS_PER_SAMPLE = 16;
const HISTORY = 8;

export function mayBeDense(samples: number, events: number): boolean {
  return events <= samples * DENSE_EVENTS_PER_SAMPLE;
}

/** @param eventOf the event of each sample, ascending; encoding: read, decoding: filled */
export function codeDense(coder: Coder, eventOf: Uint32Array, events: number): void {
  if (!mayBeDense(eventOf.length, events))
    throw malformed(`${eventOf.length} samples written densely over ${events} events`);
  const presentBits = fairBits(HISTORY);
  const moreBits = fairBits(HISTORY);
  const count = eventOf.length;
  let history = HISTORY - 1;
  let i = 0;
  for (let t = 0; t < events; t++) {
    const present = coder.bit(presentBits, history, i < count && eventOf[i] === t ? 1 : 0);
    history = ((history << 1) | present) & (HISTORY - 1);
    if (present === 0) continue;
    for (let more = 0; ; more = Math.min(more + 1, HISTORY - 1)) {
      if (i >= count) throw malformed("a signal has more samples than the directory says");
      eventOf[i++] = t;
      if (coder.bit(moreBits, more, i < count && eventOf[i] === t ? 1 : 0) === 0) break;
    }
  }
  if (i < count) throw malformed("a signal has fewer samples than the directory says");
}

export function codeGaps(coder: Coder, eventOf: Uint32Array, events: number): void {
  const code = new IntegerCode();
  let gap = 1;
  let event = -1;
  for (let i = 0; i < eventOf.length; i++) {
    gap += code.code(coder, (eventOf[i] as number) - event - gap);
    event += gap;
    if (!(gap >= 0 && event >= 0 && event < events)) throw malformed(`a sample in event ${event} of ${events}`);
    eventOf[i] = event;
  }
}

export function allEvents(events: number): Uint32Array {
  const eventOf = new Uint32Array(events);
  for (let t = 0; t < events; t++) eventOf[t] = t;
  return eventOf;
}

export function isAll(eventOf: Uint32Array, events: number): boolean {
  if (eventOf.length !== events) return false;
  for (let t = 0; t < events; t++) if (eventOf[t] !== t) return false;
  return true;
}
