import type { UplinkView } from "../../../schemas/uplink.ts";
import { formatAge, formatClock, formatNumber } from "../format.ts";

const DAY_MS = 86_400_000;

const WORDS: Readonly<Record<UplinkView["condition"], string>> = {
  sending: "Connected",
  "catching-up": "Catching up",
  "falling-behind": "Falling behind",
  connecting: "Connecting",
  cut: "Line cut",
  refused: "Refused",
  quota: "Day's messages used up",
  stopped: "Stopped",
  silent: "No report",
};

export function uplinkWord({ condition }: Pick<UplinkView, "condition">): string {
  return WORDS[condition];
}

/** What is the matter, in a sentence that stands in bold; undefined while nothing is. */
export function uplinkSentence({ condition, sinceMs, waiting, today }: UplinkView, nowMs: number): string | undefined {
  const since = formatSince(sinceMs, nowMs);
  if (condition === "cut") return `The line to the cloud is cut since ${since}.`;
  if (condition === "refused") return `The hub does not let this box in since ${since}.`;
  if (condition === "quota") {
    const budget =
      today.unitsMax === null ? "" : ` (${formatNumber(today.units)} of ${formatNumber(today.unitsMax)} units)`;
    return `The day's messages are used up${budget}; sending goes on after midnight UTC.`;
  }
  if (condition === "falling-behind") return "More readings come in than go out.";
  if (condition === "catching-up") return `The line is back: ${formatNumber(waiting.readings)} readings still to send.`;
  if (condition === "stopped") return `The uplink was stopped at ${since}.`;
  if (condition === "silent") return `The uplink has said nothing since ${since}. Check that it runs.`;
  return undefined;
}

/** That nothing is lost, and for how long it stays so: said wherever something keeps readings from the hub. */
export function keptSentence({ waiting, room }: UplinkView): string {
  const readings = `${formatNumber(waiting.readings)} ${waiting.readings === 1 ? "reading waits" : "readings wait"}`;
  if (room.timeToFullMs === null) return `Nothing is lost: ${readings}.`;
  if (room.timeToFullMs === 0) return `${readings}, and the log is full: the oldest readings are being thinned.`;
  return `Nothing is lost: ${readings}, room for ${formatRoom(room.timeToFullMs)}.`;
}

/** Whether the sentence about what is kept belongs to it. */
export function isHeldUp({ condition }: Pick<UplinkView, "condition">): boolean {
  return condition !== "sending" && condition !== "connecting" && condition !== "catching-up";
}

/** "40 min", "37 h", "12 d": rounded down, for it is a promise. */
export function formatRoom(durationMs: number): string {
  return formatAge(Math.max(2_000, durationMs));
}

/** A clock time; with its date once it is a day ago. */
export function formatSince(timeMs: number, nowMs: number): string {
  return Math.abs(nowMs - timeMs) < DAY_MS
    ? formatClock(timeMs)
    : `${new Date(timeMs).toLocaleDateString()} ${formatClock(timeMs)}`;
}

const UNITS = ["B", "kB", "MB", "GB", "TB"] as const;

/** "712 B", "4.1 kB", "12 MB". */
export function formatBytes(bytes: number): string {
  let size = bytes;
  let unit = 0;
  for (; size >= 999.5 && unit < UNITS.length - 1; unit++) size /= 1_000;
  return `${formatNumber(size, size < 10 && unit > 0 ? 1 : 0)} ${UNITS[unit]}`;
}
