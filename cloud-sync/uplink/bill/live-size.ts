import type { LogReader } from "../../../edge/log/event-log.ts";
import type { StoredEvent } from "../../contract/event.ts";
import { UPLINK_LIMITS } from "../limits.ts";
import { packLive } from "../pack/pack-live.ts";
import { MESSAGE_BYTES_MAX } from "../ports.ts";
import { MESSAGE_OVERHEAD_BYTES } from "./bill.ts";

/** How much of the log is looked at, from its end back. */
const EVENTS_MAX = 30_000;
const WINDOWS_MAX = 12;
const SHORTEST_MS = 1_000;
const DAY_MS = 86_400_000;
const BODY_BYTES_MAX = MESSAGE_BYTES_MAX - MESSAGE_OVERHEAD_BYTES;

/** How the newest readings of a log pack when they are gathered for so long. */
export interface LiveSize {
  readonly latencyMs: number;
  /** Messages that it was measured on. */
  readonly windows: number;
  readonly readingsPerSecond: number;
  readonly bytesPerReading: number;
  /** Times a day that something other than telemetry happens, as the priority lane gathers it. */
  readonly priorityMessagesPerDay: number;
}

/**
 * Packs the newest readings of a log into frames as the uplink does, and measures.
 * @returns undefined when the log holds no whole window of that length with a reading in it
 */
export function measureLiveSize(log: LogReader, latencyMs: number): LiveSize | undefined {
  return sizeOf(newestEvents(log), latencyMs);
}

/**
 * As measureLiveSize, or for the longest shorter window that the log holds: what is gathered for longer packs better, so
 * that its bytes a reading are an upper bound.
 * @returns undefined when the log holds no whole window of SHORTEST_MS either
 */
export function measureLongestSize(log: LogReader, latencyMs: number): LiveSize | undefined {
  const events = newestEvents(log);
  for (let triedMs = latencyMs; triedMs >= SHORTEST_MS || triedMs === latencyMs; triedMs = Math.floor(triedMs / 1.25)) {
    const size = sizeOf(events, triedMs);
    if (size !== undefined) return size;
  }
  return undefined;
}

function sizeOf(events: readonly StoredEvent[], latencyMs: number): LiveSize | undefined {
  const windows = Map.groupBy(events, ({ timeMs }) => Math.floor(timeMs / latencyMs));
  // The first and the last window are cut off.
  const whole = [...windows.keys()]
    .sort((a, b) => a - b)
    .slice(1, -1)
    .slice(-WINDOWS_MAX);
  const frames = whole.flatMap((key) => packLive(windows.get(key) ?? [], BODY_BYTES_MAX).frames);
  const bytes = frames.reduce((sum, { body }) => sum + body.length, 0);
  const readings = frames.reduce((sum, { samples }) => sum + samples, 0);
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

function priorityMessages(events: readonly StoredEvent[]): number {
  const first = events[0];
  const last = events.at(-1);
  const spanMs = first && last ? last.timeMs - first.timeMs : 0;
  if (spanMs <= 0) return 0;
  const rare = events.filter(({ type }) => type !== "telemetry");
  const moments = new Set(rare.map(({ timeMs }) => Math.floor(timeMs / UPLINK_LIMITS.priorityGatherMs)));
  return Math.ceil((moments.size / spanMs) * DAY_MS);
}
