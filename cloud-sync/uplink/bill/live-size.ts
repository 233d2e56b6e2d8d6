import type { LogReader } from "../../../edge/log/event-log.ts";
import { encodeBlock } from "../../contract/block/block-builder.ts";
import type { StoredEvent } from "../../contract/event.ts";

/** How much of the log is looked at, from its end back. */
const EVENTS_MAX = 30_000;
const WINDOWS_MAX = 12;
const PRIORITY_GATHER_MS = 1_000;
const DAY_MS = 86_400_000;
const NO_HASH = Buffer.alloc(16);

/** How the newest readings of a log pack when they are gathered for so long. */
export interface LiveSize {
  readonly latencyMs: number;
  /** Messages that it was measured on. */
  readonly windows: number;
  readonly readingsPerSecond: number;
  readonly bytesPerReading: number;
  /** Seconds of a day in which something other than telemetry happens. */
  readonly priorityMessagesPerDay: number;
}

/**
 * Packs the newest readings of a log into blocks as the uplink does for live frames, and measures.
 * @returns undefined when the log holds no whole window of that length with a reading in it
 */
export function measureLiveSize(log: LogReader, latencyMs: number): LiveSize | undefined {
  const events = newestEvents(log);
  const windows = new Map<number, Map<string, StoredEvent[]>>();
  for (const event of events) {
    const key = Math.floor(event.timeMs / latencyMs);
    const machines = windows.get(key) ?? new Map<string, StoredEvent[]>();
    windows.set(key, machines);
    const run = machines.get(event.machineId);
    if (run) run.push(event);
    else machines.set(event.machineId, [event]);
  }
  // The first and the last window are cut off.
  const whole = [...windows.keys()]
    .sort((a, b) => a - b)
    .slice(1, -1)
    .slice(-WINDOWS_MAX);
  let bytes = 0;
  let readings = 0;
  for (const key of whole) {
    for (const run of windows.get(key)?.values() ?? []) {
      for (const part of unbroken(run)) bytes += encodeBlock(part, NO_HASH).length;
      readings += run.reduce((sum, event) => sum + (event.type === "telemetry" ? event.data.samples.length : 0), 0);
    }
  }
  if (readings === 0) return undefined;
  const spanMs = whole.length * latencyMs;
  return {
    latencyMs,
    windows: whole.length,
    readingsPerSecond: (readings / spanMs) * 1_000,
    bytesPerReading: bytes / readings,
    priorityMessagesPerDay: priorityMessages(events),
  };
}

function newestEvents(log: LogReader): StoredEvent[] {
  const found: StoredEvent[] = [];
  for (let offset = Math.max(0, log.head() - EVENTS_MAX); found.length < EVENTS_MAX; ) {
    const events = log.readAfter(offset, { limitEvents: 10_000 });
    const last = events.at(-1);
    if (!last) break;
    for (const event of events) found.push(event);
    offset = last.offset;
  }
  return found;
}

/** A block holds one epoch and no hole in its numbers. */
function unbroken(run: readonly StoredEvent[]): StoredEvent[][] {
  const parts: StoredEvent[][] = [];
  for (const event of run) {
    const before = parts.at(-1)?.at(-1);
    if (before && before.epoch === event.epoch && before.seq + 1 === event.seq) parts.at(-1)?.push(event);
    else parts.push([event]);
  }
  return parts;
}

function priorityMessages(events: readonly StoredEvent[]): number {
  const first = events[0];
  const last = events.at(-1);
  const spanMs = first && last ? last.timeMs - first.timeMs : 0;
  if (spanMs <= 0) return 0;
  const rare = events.filter(({ type }) => type !== "telemetry");
  const moments = new Set(rare.map(({ timeMs }) => Math.floor(timeMs / PRIORITY_GATHER_MS)));
  return Math.ceil((moments.size / spanMs) * DAY_MS);
}
