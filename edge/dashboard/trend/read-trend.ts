import { severityOf } from "../../kernel/status-code.ts";
import type { LogReader } from "../../log/event-log.ts";
import { chartValueOf } from "../json-value.ts";
import { Downsampler, type Line } from "./downsample.ts";
import { readSlices } from "./read-slices.ts";

const BREAKS_MAX = 1_000;
/** A link that is up reports every 30 s: a longer silence is a collector that was not running. */
const REPORT_SILENT_MS = 45_000;
/** How far before its beginning a trend looks for the value that a subscribed signal held there. */
const HELD_MS_MAX = 15 * 60_000;
export const TREND_SIGNALS_MAX = 8;
export const TREND_POINTS_MAX = 2_000;

export interface TrendSignal {
  readonly name: string;
  readonly intervalMs: number;
  readonly polled: boolean;
}

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
 * Reads lines from the log in slices that leave the event loop free between them. Bad samples and non-finite values break
 * a line; so do a link that went down, and for a polled signal a silence longer than it is allowed to have. A subscribed
 * signal sends only changes, so its line begins with the value that it held when the trend begins.
 */
export async function readTrend(log: LogReader, query: TrendQuery, signal: AbortSignal): Promise<Map<string, Line>> {
  const { fromMs, toMs, points } = query;
  const sinceMs = query.signals.every(({ polled }) => polled) ? fromMs : fromMs - HELD_MS_MAX;
  const lines = new Map(
    query.signals.map((each) => [
      each.name,
      { ...each, sampler: new Downsampler(fromMs, toMs, points), lastMs: undefined as number | undefined },
    ]),
  );
  const breaksMs = await linkBreaks(log, { ...query, fromMs: sinceMs }, signal);
  const held = new Map<string, { readonly timeMs: number; readonly value: number }>();
  const begin = () => {
    for (const [name, { timeMs, value }] of held) {
      const lost = breaksMs.some((breakMs) => breakMs >= timeMs && breakMs <= fromMs);
      if (!lost) lines.get(name)?.sampler.add(fromMs, value);
    }
    held.clear();
  };
  let breakIndex = 0;
  for await (const events of readSlices(log, { ...query, fromMs: sinceMs }, ["telemetry", "gap"], signal)) {
    for (const event of events) {
      if (event.timeMs >= fromMs) begin();
      if (event.type === "gap") {
        held.clear();
        if (event.timeMs < fromMs) continue;
        for (const line of lines.values()) line.sampler.add((line.lastMs ?? fromMs) + 1, null);
      }
      if (event.type !== "telemetry") continue;
      for (const sample of event.data.samples) {
        const timeMs = sample.receivedTimestampMs;
        for (; (breaksMs[breakIndex] ?? Number.POSITIVE_INFINITY) <= timeMs; breakIndex++) {
          const breakMs = breaksMs[breakIndex] as number;
          if (breakMs < fromMs) continue;
          for (const { sampler } of lines.values()) sampler.add(breakMs, null);
        }
        const line = lines.get(sample.signal);
        if (!line || timeMs >= toMs) continue;
        const value = severityOf(sample.statusCode) === "bad" ? undefined : chartValueOf(sample.value);
        if (timeMs < fromMs) {
          if (value === undefined) held.delete(line.name);
          else if (!line.polled) held.set(line.name, { timeMs, value });
          continue;
        }
        const silenceMs = 3 * line.intervalMs + 5_000;
        if (line.polled && line.lastMs !== undefined && timeMs - line.lastMs > silenceMs) {
          line.sampler.add(line.lastMs + silenceMs, null);
        }
        line.lastMs = timeMs;
        line.sampler.add(timeMs, value ?? null);
      }
    }
  }
  begin();
  return new Map([...lines].map(([name, { sampler }]) => [name, sampler.finish()]));
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
