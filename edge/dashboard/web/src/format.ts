import type { SignalView } from "../../schemas/views.ts";

const DASH = "–";
const MINUS = "−";

/** Below and from these a number is written with a power of ten. */
const POWER_BELOW = 1e-4;
const POWER_FROM = 1e9;

/**
 * A value as a person reads it: as many digits as matter, a real minus, thin spaces between thousands.
 * @param decimals of a number; without it, those that the number itself needs
 */
export function formatValue(value: SignalView["value"], type: string | null = null, decimals?: number): string {
  if (value === null) return DASH;
  if (Array.isArray(value)) return `[${value.map((each) => formatValue(each)).join(", ")}]`;
  if (typeof value === "boolean") return value ? "On" : "Off";
  if (type === "datetime" && typeof value === "number") return new Date(value).toLocaleString();
  if (typeof value === "string") return value === "" ? "(empty)" : value;
  return formatNumber(value, decimals);
}

/** A number that is not zero is never written as zero, whatever `decimals` says. */
export function formatNumber(value: number, decimals = decimalsOf(value)): string {
  const size = Math.abs(value);
  if (isPower(size)) {
    return value
      .toExponential(3)
      .replace(/\.?0+e/, "e")
      .replaceAll("-", MINUS);
  }
  let text = size.toFixed(decimals);
  if (size !== 0 && Number(text) === 0) text = size.toFixed(decimalsOf(value));
  const [whole = "", fraction] = text.split(".");
  const grouped = whole.length > 4 ? whole.replace(/\B(?=(\d{3})+$)/g, "\u202f") : whole;
  return `${value < 0 ? MINUS : ""}${grouped}${fraction === undefined ? "" : `.${fraction}`}`;
}

/** Numbers that stand below each other, as on an axis: all with the decimals that the finest needs. */
export function formatAlike(values: readonly number[]): string[] {
  const decimals = Math.max(0, ...values.map((value) => decimalsOf(value)));
  return values.map((value) => formatNumber(value, decimals));
}

/** Decimals that make sense for a number of this size: three of its digits at least, and three significant decimals at most. */
export function decimalsMaxOf(size: number): number {
  if (size === 0 || size >= 1_000 || isPower(size)) return 0;
  return size >= 100 ? 1 : 2 - Math.min(0, Math.floor(Math.log10(size)));
}

/** Decimals that a number needs: as many as make sense, without zeros at the end. */
export function decimalsOf(value: number): number {
  const size = Math.abs(value);
  const text = size.toFixed(decimalsMaxOf(size)).replace(/\.?0+$/, "");
  const point = text.indexOf(".");
  return point < 0 ? 0 : text.length - point - 1;
}

function isPower(size: number): boolean {
  return size !== 0 && (size >= POWER_FROM || size < POWER_BELOW);
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
