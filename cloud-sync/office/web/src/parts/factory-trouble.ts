import type { FactoryView, LineView } from "../../../../services/query/overview/schema.ts";

/** A factory that runs sends at least every few seconds; later than this it is stale. */
const STALE_MS = 60_000;
const BACKLOG_LAG_S = 120;

export function isStale({ newestMs }: FactoryView, nowMs: number): boolean {
  return newestMs !== null && nowMs - newestMs > STALE_MS;
}

export function unacknowledgedOf({ alarms }: FactoryView): number {
  return alarms.reduce((sum, { unacknowledged }) => sum + unacknowledged, 0);
}

/** alarm: nothing comes through. warn: it comes late. */
export function lineLevel(line: LineView): "alarm" | "warn" | "calm" {
  if (!line.connected || !line.enabled) return "alarm";
  const isLate = (line.lagSeconds ?? 0) > BACKLOG_LAG_S;
  return isLate || line.condition === "quota" || line.condition === "refused" ? "warn" : "calm";
}

/** The line of a factory that somebody has to look at first. */
export function worstLine(lines: readonly LineView[]): LineView | undefined {
  const rank = { alarm: 0, warn: 1, calm: 2 } as const;
  return lines.toSorted((a, b) => rank[lineLevel(a)] - rank[lineLevel(b)])[0];
}

export interface Trouble {
  readonly word: string;
  readonly level: "alarm" | "warn" | "calm";
}

/** The one word on a factory's tile: what is worst. */
export function troubleOf(factory: FactoryView, nowMs: number): Trouble {
  const line = worstLine(factory.lines);
  const unacknowledged = unacknowledgedOf(factory);
  if (line !== undefined && lineLevel(line) === "alarm") return { word: "Line cut", level: "alarm" };
  if (factory.alarms.some((alarm) => alarm.unacknowledged > 0 && alarm.priority === "critical"))
    return { word: "Critical alarm", level: "alarm" };
  if (isStale(factory, nowMs)) return { word: "No data", level: "warn" };
  if (unacknowledged > 0) return { word: "Alarms", level: "warn" };
  const { fault = 0, disconnected = 0 } = factory.machines.byState;
  if (fault + disconnected > 0) return { word: "Machines", level: "warn" };
  if (line !== undefined && lineLevel(line) === "warn") return { word: "Catching up", level: "warn" };
  if (factory.ledger.missing + factory.ledger.lost > 0) return { word: "Readings missing", level: "warn" };
  return factory.machines.total === 0 ? { word: "No machines", level: "calm" } : { word: "Normal", level: "calm" };
}

export function isTroubled(factory: FactoryView, nowMs: number): boolean {
  return troubleOf(factory, nowMs).level !== "calm";
}
