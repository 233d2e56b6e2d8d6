import { setImmediate as yieldToLoop } from "node:timers/promises";
import type { LogReader } from "../../log/event-log.ts";
import { SliceSize } from "../slice-size.ts";
import { Changes } from "./changes.ts";
import type { LatestProjection } from "./latest-projection.ts";

const SLICE_MS = 8;
const SLICE_EVENTS_MAX = 2_000;

/** Keeps the projection at the head of the log and reports what each batch changed, until the signal aborts or the log closes. */
export async function follow(
  log: LogReader,
  projection: LatestProjection,
  changed: (changes: Changes) => void,
  signal: AbortSignal,
): Promise<void> {
  const slice = new SliceSize(SLICE_MS, SLICE_EVENTS_MAX);
  while (!signal.aborted && (await log.waitPast(projection.offset, signal))) {
    for (;;) {
      if (signal.aborted) return;
      const startedMs = performance.now();
      const events = log.readAfter(projection.offset, { limitEvents: slice.limitEvents });
      const last = events.at(-1);
      if (!last) break;
      const changes = new Changes();
      for (const event of events) projection.apply(event, changes);
      projection.offset = last.offset;
      if (!changes.isEmpty) changed(changes);
      slice.learn(events.length, performance.now() - startedMs);
      await yieldToLoop();
    }
  }
}
