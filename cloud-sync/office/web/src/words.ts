import { formatAge, formatNumber } from "../../../../edge/dashboard/web/src/format.ts";

export const DASH = "–";

const STATE_WORDS: Readonly<Record<string, string>> = {
  running: "Running",
  idle: "Idle",
  setup: "Setup",
  fault: "Fault",
  offline: "Offline",
  disconnected: "Disconnected",
  unknown: "State unknown",
};

export function stateWord(state: string): string {
  return STATE_WORDS[state] ?? state;
}

/** alarm: somebody should go there. warn: not as it should be. calm: grey. */
export function stateLevel(state: string): "alarm" | "warn" | "calm" | "running" {
  if (state === "fault" || state === "disconnected") return "alarm";
  if (state === "offline") return "warn";
  return state === "running" ? "running" : "calm";
}

/** A count with its word: "1 machine", "1 204 events". */
export function counted(count: number, one: string, many = `${one}s`): string {
  return `${formatNumber(count)} ${count === 1 ? one : many}`;
}

/** "5 Jan, 06:00:12", in the reader's own time; with the year when it is another one. */
export function formatMoment(timeMs: number): string {
  const date = new Date(timeMs);
  return date.toLocaleString([], {
    day: "numeric",
    month: "short",
    ...(date.getFullYear() === new Date().getFullYear() ? {} : { year: "numeric" }),
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
    hour12: false,
  });
}

export function formatDay(timeMs: number): string {
  return new Date(timeMs).toLocaleDateString([], { day: "numeric", month: "short", year: "numeric" });
}

export function formatShare(share: number | null): string {
  if (share === null) return DASH;
  const percent = share * 100;
  return percent > 99 && percent < 100 ? "> 99 %" : percent > 0 && percent < 1 ? "< 1 %" : `${Math.round(percent)} %`;
}

/** Hours as people plan by them: "14 h", "3 d". */
export function formatHours(hours: number | null): string {
  if (hours === null) return DASH;
  if (hours < 1) return "< 1 h";
  return hours < 72 ? `${Math.round(hours)} h` : `${Math.round(hours / 24)} d`;
}

/** "now", "14 s"; a clock that runs ahead is "now". */
export function age(nowMs: number, timeMs: number): string {
  return formatAge(Math.max(0, nowMs - timeMs));
}

export function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
