import type { PlannedItem, PlannedRead } from "./plan.ts";

/** A read and its next point on the fixed grid of its interval. Times are monotonic milliseconds. */
export interface ScheduledRead {
  readonly read: PlannedRead;
  dueMs: number;
  /** For signals that have just been added: read at once and not again, the grid goes on without it. */
  readonly once: boolean;
}

/**
 * The read to carry out now: of those that are due, the one whose next deadline (due + interval) is nearest, so that a
 * fast signal is not held up by a long list of slow ones and no read starves on an overloaded line. Else the time to wait.
 */
export function pickNext(reads: readonly ScheduledRead[], nowMs: number): ScheduledRead | { waitMs: number } {
  let best: ScheduledRead | undefined;
  let nextDueMs = Number.POSITIVE_INFINITY;
  for (const entry of reads) {
    nextDueMs = Math.min(nextDueMs, entry.dueMs);
    if (entry.dueMs > nowMs) continue;
    if (best === undefined || deadlineOf(entry) < deadlineOf(best)) best = entry;
  }
  return best ?? { waitMs: nextDueMs - nowMs };
}

function deadlineOf({ read, dueMs }: ScheduledRead): number {
  return dueMs + read.pollIntervalMs;
}

/**
 * The next grid point after `nowMs` for a read that was due at `dueMs`, and how many points went by unread in between.
 * The grid never moves: no drift, and no burst to make up for a stall.
 */
export function advance(dueMs: number, intervalMs: number, nowMs: number): { dueMs: number; missed: number } {
  const missed = Math.max(0, Math.floor((nowMs - dueMs) / intervalMs));
  return { dueMs: dueMs + (missed + 1) * intervalMs, missed };
}

/** Names a signal together with all of its settings: equal keys mean that nothing about it has changed. */
export function itemKey(unitId: number, { machineId, signal }: PlannedItem): string {
  return JSON.stringify([unitId, machineId, signal]);
}
