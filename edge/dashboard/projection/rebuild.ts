import { setImmediate as yieldToLoop } from "node:timers/promises";
import type { LogReader } from "../../log/event-log.ts";
import { SliceSize } from "../slice-size.ts";
import { Changes } from "./changes.ts";
import type { LatestProjection } from "./latest-projection.ts";

const SLICE_MS = 10;
const SLICE_EVENTS_MAX = 500;
/** How far back each stream is searched before the first page is served, and afterwards in the background. */
export const NEAR_EVENTS = 400;
export const FAR_EVENTS = 40_000;
/** Of the box's own stream, which holds a report per connection every half minute. */
const EDGE_EVENTS = 4_000;

/**
 * Fills the projection from the newest events of each stream, so that a start takes as long as there are machines, not as
 * long as there is history. What comes after `projection.offset` is the follower's to read.
 */
export async function rebuild(log: LogReader, projection: LatestProjection, signal: AbortSignal): Promise<void> {
  projection.offset = log.head();
  const slice = new SliceSize(SLICE_MS, SLICE_EVENTS_MAX);
  for (const { machineId, firstSeq, lastSeq } of log.streams()) {
    for (const type of ["config", "state", "gap"] as const) {
      const event = log.latest(machineId, type);
      if (event) projection.apply(event, new Changes());
    }
    if (machineId.endsWith("/edge")) {
      await readOn(log, projection, { machineId, firstSeq, lastSeq, eventsMax: EDGE_EVENTS }, signal);
    } else {
      await walkBack(log, projection, { machineId, firstSeq, lastSeq, eventsMax: NEAR_EVENTS }, slice, signal);
    }
    if (signal.aborted) return;
  }
}

/**
 * Looks further back for signals that had no sample near the end: a subscribed value may not have changed for hours.
 * Calls `found` with what it found, stream by stream.
 */
export async function searchPast(
  log: LogReader,
  projection: LatestProjection,
  found: (changes: Changes) => void,
  signal: AbortSignal,
): Promise<void> {
  const slice = new SliceSize(SLICE_MS, SLICE_EVENTS_MAX);
  for (const { machineId, firstSeq, lastSeq } of log.streams()) {
    const machine = projection.machines.get(machineId);
    if (!machine || machine.counts().waiting === 0) continue;
    const range = { machineId, firstSeq, lastSeq: lastSeq - NEAR_EVENTS, eventsMax: FAR_EVENTS };
    const changes = await walkBack(log, projection, range, slice, signal);
    if (signal.aborted) return;
    if (!changes.isEmpty) found(changes);
  }
}

interface Range {
  readonly machineId: string;
  readonly firstSeq: number;
  readonly lastSeq: number;
  readonly eventsMax: number;
}

async function walkBack(
  log: LogReader,
  projection: LatestProjection,
  { machineId, firstSeq, lastSeq, eventsMax }: Range,
  slice: SliceSize,
  signal: AbortSignal,
): Promise<Changes> {
  const changes = new Changes();
  const stop = Math.max(firstSeq, lastSeq - eventsMax + 1);
  let end = lastSeq;
  while (end >= stop && !signal.aborted) {
    const machine = projection.machines.get(machineId);
    if (machine && machine.configOffset > 0 && machine.counts().waiting === 0) break;
    // A stream has no holes in its seq, so that a window of seq is a number of events.
    const count = Math.min(slice.limitEvents, end - stop + 1);
    const startedMs = performance.now();
    const events = log.readStream(machineId, end - count, { limitEvents: count });
    for (const event of events) projection.apply(event, changes);
    slice.learn(events.length, performance.now() - startedMs);
    end -= count;
    await yieldToLoop();
  }
  return changes;
}

/** In the order of the stream, for it matters since when a connection has been in its state. */
async function readOn(
  log: LogReader,
  projection: LatestProjection,
  { machineId, firstSeq, lastSeq, eventsMax }: Range,
  signal: AbortSignal,
): Promise<void> {
  const slice = new SliceSize(SLICE_MS, SLICE_EVENTS_MAX);
  let seq = Math.max(firstSeq - 1, lastSeq - eventsMax);
  while (seq < lastSeq && !signal.aborted) {
    const startedMs = performance.now();
    const events = log.readStream(machineId, seq, { limitEvents: slice.limitEvents });
    if (events.length === 0) return;
    for (const event of events) projection.apply(event, new Changes());
    slice.learn(events.length, performance.now() - startedMs);
    seq = events.at(-1)?.seq ?? lastSeq;
    await yieldToLoop();
  }
}
