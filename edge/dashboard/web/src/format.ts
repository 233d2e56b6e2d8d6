import type { SignalView } from "../../schemas/views.ts";

const DASH = "–";
const MINUS = "−";

/** A value as a person reads it: as many digits as matter, a real minus, thin spaces between thousands. */
export function formatValue(value: SignalView["value"], type: string | null = null): string {
  if (value === null) return DASH;
  if (Array.isArray(value)) return `[${value.map((each) => formatValue(each)).join(", ")}]`;
  if (typeof value === "boolean") return value ? "On" : "Off";
  if (type === "datetime" && typeof value === "number") return new Date(value).toLocaleString();
  if (typeof value === "string") return value === "" ? "(empty)" : value;
  return formatNumber(value);
}

export function formatNumber(value: number): string {
  const size = Math.abs(value);
  if (size !== 0 && (size >= 1e9 || size < 1e-4)) return value.toExponential(3).replaceAll("-", MINUS);
  const decimals = Number.isInteger(value) ? 0 : size >= 1000 ? 0 : size >= 100 ? 1 : size >= 1 ? 2 : 4;
  const [whole = "", fraction] = size.toFixed(decimals).split(".");
  const grouped = whole.length > 4 ? whole.replace(/\B(?=(\d{3})+$)/g, "\u202f") : whole;
  const sign = value < 0 && Number(size.toFixed(decimals)) !== 0 ? MINUS : "";
  return `${sign}${grouped}${fraction === undefined ? "" : `.${fraction}`}`;
}

/** "now", "14 s", "3 min", "5 h", "2 d". */
export function formatAge(ageMs: number): string {
  const seconds = Math.floor(ageMs / 1_000);
  if (seconds < 2) return "now";
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7_200) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 172_800) return `${Math.floor(seconds / 3_600)} h`;
  return `${Math.floor(seconds / 86_400)} d`;
}

/** "3 s ago", "now". */
export function formatAgo(ageMs: number): string {
  const age = formatAge(ageMs);
  return age === "now" ? age : `${age} ago`;
}

export function formatClock(timeMs: number): string {
  return new Date(timeMs).toLocaleTimeString([], {
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
    hour12: false,
  });
}

export function capitalized(word: string): string {
  return word.charAt(0).toUpperCase() + word.slice(1);
}
