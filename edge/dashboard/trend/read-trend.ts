import { setImmediate as yieldToLoop } from "node:timers/promises";
import type { LogReader } from "../../log/event-log.ts";
import type { Line } from "./downsample.ts";
import { readSlices } from "./read-slices.ts";
import { TrendLine, type TrendSignal } from "./trend-line.ts";

const BREAKS_MAX = 1_000;
/** A link that is up reports every 30 s: a longer silence is a collector that was not running. */
const REPORT_SILENT_MS = 45_000;
/** How far before its beginning a trend looks for the value that a subscribed signal held there. */
const HELD_MS_MAX = 15 * 60_000;
export const TREND_SIGNALS_MAX = 8;
export const TREND_POINTS_MAX = 2_000;

export interface TrendQuery {
  readonly machineId: string;
  readonly connectionId: string;
  readonly edgeStream: string;
  readonly signals: readonly TrendSignal[];
  readonly fromMs: number;
  readonly toMs: number;
  readonly points: number;
}

/**
 * Reads lines from the log in pieces that leave the event loop free between them. Bad samples and non-finite values break
 * a line; so do a link that went down, readings that were lost, and for a polled signal a silence longer than it is allowed
 * to have. A subscribed signal sends only changes, so its line begins with the value that it held when the trend begins.
 */
export async function readTrend(log: LogReader, query: TrendQuery, signal: AbortSignal): Promise<Map<string, Line>> {
  const { machineId, signals, fromMs, toMs, points } = query;
  const sinceMs = signals.every(({ polled }) => polled) ? fromMs : fromMs - HELD_MS_MAX;
  const breaksMs = [
    ...(await linkBreaks(log, { ...query, fromMs: sinceMs }, signal)),
    ...(await lostSince(log, { ...query, fromMs: sinceMs }, signal)),
  ].sort((a, b) => a - b);
  const lines = new Map(signals.map((each) => [each.name, new TrendLine(each, query, breaksMs)]));
  const series = {
    machineId,
    signals: signals.map(({ name }) => name),
    fromMs: sinceMs,
    toMs,
    resolutionMs: (toMs - fromMs) / points,
  };
  for (const slices of log.readSeries(series)) {
    for (const slice of slices) lines.get(slice.signal)?.add(slice);
    if (signal.aborted) break;
    await yieldToLoop();
  }
  return new Map([...lines].map(([name, line]) => [name, line.finish()]));
}

/** When readings of the machine were lost. */
async function lostSince(log: LogReader, query: TrendQuery, signal: AbortSignal): Promise<number[]> {
  const { machineId, fromMs, toMs } = query;
  const lostMs: number[] = [];
  // A loss is told when it is noticed, which may be long after; the log's own thinning leaves aggregates to be drawn.
  for await (const events of readSlices(log, { machineId, fromMs, toMs: Number.MAX_VALUE }, ["gap"], signal)) {
    for (const { type, data } of events) {
      if (type === "gap" && data.aggregates !== true && data.toMs >= fromMs && data.fromMs < toMs)
        lostMs.push(data.fromMs >= fromMs ? data.fromMs : data.toMs);
    }
    if (lostMs.length >= BREAKS_MAX) break;
  }
  return lostMs;
}

/** When the machine's link went down or a collector started anew: nothing was measured around these instants. */
async function linkBreaks(log: LogReader, query: TrendQuery, signal: AbortSignal): Promise<number[]> {
  const { edgeStream, connectionId, fromMs, toMs } = query;
  const breaksMs: number[] = [];
  let upMs: number | undefined;
  for await (const events of readSlices(log, { machineId: edgeStream, fromMs, toMs }, ["connection"], signal)) {
    for (const { type, timeMs, data } of events) {
      if (type !== "connection" || data.connectionId !== connectionId || timeMs < fromMs || timeMs >= toMs) continue;
      if (upMs !== undefined && timeMs - upMs > REPORT_SILENT_MS) breaksMs.push(upMs + REPORT_SILENT_MS);
      const isUp = data.state === "connected" || data.state === "degraded";
      if (!isUp) breaksMs.push(timeMs);
      upMs = isUp ? timeMs : undefined;
    }
    if (breaksMs.length >= BREAKS_MAX) break;
  }
  return breaksMs;
}
