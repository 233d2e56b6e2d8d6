import type { SampleValue } from "../../../cloud-sync/contract/sample.ts";

/** Readings in a row that contradict, when each of them is another value. */
const DISTINCT_READINGS = 4;
/** Readings in a row that contradict, whatever they are. */
const READINGS = 6;

/** What a silent monitored item's node was read to be, while that is not what the item told last. */
export interface Suspicion {
  /** Contradicting readings in a row, newest last; at most READINGS. */
  readonly values: readonly SampleValue[];
  readonly sourceMs: number | null;
  /** Monotonic time since when value and source time have been the same. */
  readonly sameSinceMs: number;
}

/** Adds one contradicting reading, made at `nowMs` of the monotonic clock. */
export function suspect(
  before: Suspicion | null,
  { value, sourceMs }: { value: SampleValue; sourceMs: number | null },
  nowMs: number,
): Suspicion {
  const isSame = before !== null && sourceMs !== null && before.sourceMs === sourceMs;
  return {
    values: [...(before?.values ?? []), value].slice(-READINGS),
    sourceMs,
    sameSinceMs: isSame ? before.sameSinceMs : nowMs,
  };
}

/**
 * Whether the item is dead. One reading proves nothing: a signal that flickers between two samplings of a healthy
 * server is read at one value and told at another. Proof is a change that has lasted (by its source time) longer than a
 * healthy item needs to tell it, or contradiction upon contradiction.
 */
export function isProven({ values, sameSinceMs }: Suspicion, nowMs: number, graceMs: number): boolean {
  if (nowMs - sameSinceMs >= graceMs) return true;
  const distinct = new Set(
    values.map((value) => JSON.stringify(value, (_, each) => (typeof each === "bigint" ? `${each}n` : each))),
  );
  return values.length >= READINGS || (values.length >= DISTINCT_READINGS && distinct.size === values.length);
}
