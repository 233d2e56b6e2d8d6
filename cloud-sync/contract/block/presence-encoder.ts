import { codeDense, codeGaps, isAll, mayBeDense, PRESENCE_BITS, Presence } from "./presence.ts";
import { RangeEncoder } from "./range-encoder.ts";

/** Signals whose presence is written out, by a hash of it. */
export type KnownPresences = Map<number, { signal: number; eventOf: Uint32Array }[]>;

/** Writes in which events a signal is, in the shortest way. */
export function encodePresence(
  coder: RangeEncoder,
  signal: number,
  eventOf: Uint32Array,
  events: number,
  known: KnownPresences,
): void {
  if (isAll(eventOf, events)) {
    coder.direct(Presence.All, PRESENCE_BITS);
    return;
  }
  const like = knownLike(known, signal, eventOf);
  if (like !== undefined) {
    coder.direct(Presence.Like, PRESENCE_BITS);
    coder.direct(like >> 8, 8);
    coder.direct(like & 0xff, 8);
    return;
  }
  const isDense = mayBeDense(eventOf.length, events) && trialBytes(codeDense) <= trialBytes(codeGaps);
  coder.direct(isDense ? Presence.Dense : Presence.Gaps, PRESENCE_BITS);
  if (isDense) codeDense(coder, eventOf, events);
  else codeGaps(coder, eventOf, events);

  function trialBytes(code: typeof codeDense): number {
    const trial = new RangeEncoder();
    code(trial, eventOf, events);
    return trial.estimatedBytes;
  }
}

function knownLike(known: KnownPresences, signal: number, eventOf: Uint32Array): number | undefined {
  const hash = eventOf.reduce((sum, t) => (Math.imul(sum, 31) + t) | 0, eventOf.length);
  const alike = known.get(hash) ?? [];
  const like = alike.find((other) => isSame(other.eventOf, eventOf));
  if (like === undefined) known.set(hash, [...alike, { signal, eventOf }]);
  return like?.signal;
}

function isSame(a: Uint32Array, b: Uint32Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
