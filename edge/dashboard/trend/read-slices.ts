import { setImmediate as yieldToLoop } from "node:timers/promises";
import type { EventType, StoredEvent } from "../../../cloud-sync/contract/event.ts";
import type { LogReader } from "../../log/event-log.ts";
import { SliceSize } from "../slice-size.ts";

const SLICE_MS = 5;
const SLICE_EVENTS_MAX = 400;

/**
 * A stream's events of a time, ascending by seq, a slice at a time, with the event loop free between two of them. To find
 * a time costs the log more than to read on, so it is asked for once, and again only where a clock left the range.
 */
export async function* readSlices(
  log: LogReader,
  stream: { readonly machineId: string; readonly fromMs: number; readonly toMs: number },
  types: readonly EventType[],
  signal: AbortSignal,
): AsyncGenerator<readonly StoredEvent[]> {
  const { machineId, fromMs, toMs } = stream;
  const slice = new SliceSize(SLICE_MS, SLICE_EVENTS_MAX);
  let find = true;
  for (let afterSeq = 0; !signal.aborted; ) {
    const { limitEvents } = slice;
    const startedMs = performance.now();
    const events: readonly StoredEvent[] = find
      ? log.readTime(machineId, fromMs, toMs, { limitEvents, afterSeq, types })
      : log.readStream(machineId, afterSeq, { limitEvents, types });
    const last: StoredEvent | undefined = events.at(-1);
    if (!last) return;
    yield events;
    if (!find) slice.learn(events.length, performance.now() - startedMs);
    find = last.timeMs < fromMs || last.timeMs >= toMs;
    afterSeq = last.seq;
    await yieldToLoop();
  }
}
