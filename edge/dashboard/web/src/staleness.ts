import { severityOf } from "../../../kernel/status-code.ts";
import type { LinkView, MachineSummary, SignalView } from "../../schemas/views.ts";

/** A collector that runs reports each link that is up every 30 s; after two and a half of these it is not running. */
export const COLLECTOR_SILENT_MS = 75_000;

export type Freshness = "fresh" | "stale" | "waiting";

/** What can be known of a machine's link: "silent" is a link whose last report is too old to be believed. */
export type LinkWord = LinkView["state"] | "silent" | "unknown";

export function linkWordOf(machine: Pick<MachineSummary, "link" | "updatedMs">, nowMs: number): LinkWord {
  const { link } = machine;
  if (!link) return "unknown";
  if (link.state === "disconnected" || link.state === "connecting") return link.state;
  const heardMs = Math.max(link.reportedMs, machine.updatedMs ?? 0);
  return nowMs - heardMs > COLLECTOR_SILENT_MS ? "silent" : link.state;
}

/**
 * Stale is what may no longer be true: the page hears nothing, the link is not up, the status is not Good, or a polled
 * signal is older than three of its intervals and five seconds. A subscribed value that has not changed is not stale.
 */
export function freshnessOf(signal: SignalView, link: LinkWord, streamUp: boolean, nowMs: number): Freshness {
  if (signal.statusCode === null || signal.receivedMs === null) return "waiting";
  if (!streamUp || link === "disconnected" || link === "connecting" || link === "silent") return "stale";
  if (severityOf(signal.statusCode) !== "good") return "stale";
  const late = nowMs - signal.receivedMs > 3 * signal.intervalMs + 5_000;
  return late && (signal.polled || link === "unknown") ? "stale" : "fresh";
}

export function isMachineStale(machine: MachineSummary, link: LinkWord, streamUp: boolean, nowMs: number): boolean {
  if (!streamUp || link === "disconnected" || link === "connecting" || link === "silent") return true;
  const known = machine.keys.filter(({ statusCode }) => statusCode !== null);
  return known.length > 0 && known.every((signal) => freshnessOf(signal, link, streamUp, nowMs) === "stale");
}
