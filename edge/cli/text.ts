import type { SampleValue, ScalarValue } from "../../cloud-sync/contract/sample.ts";

const TEXT_LENGTH_MAX = 80;
const ELEMENTS_MAX = 8;
// biome-ignore lint/suspicious/noControlCharactersInRegex: finding control characters is the point.
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/** Text of a machine or a server made harmless for a terminal: control and direction characters become visible escapes. */
export function harmless(text: string): string {
  return text.replace(CONTROL, (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, "0")}`);
}

/** A value for people: floats with seven digits (what a float32 carries), long text and arrays cut with "…". */
export function valueText(value: SampleValue): string {
  if (Array.isArray(value)) {
    const shown = value.slice(0, ELEMENTS_MAX).map(scalarText).join(", ");
    return `[${shown}${value.length > ELEMENTS_MAX ? `, … ${value.length} elements` : ""}]`;
  }
  return scalarText(value as ScalarValue);
}

function scalarText(value: ScalarValue): string {
  if (value === null) return "–";
  if (typeof value === "string") return JSON.stringify(harmless(cut(value)));
  if (typeof value === "number" && !Number.isInteger(value)) return String(Number(value.toPrecision(7)));
  return String(value);
}

function cut(text: string): string {
  return text.length > TEXT_LENGTH_MAX ? `${text.slice(0, TEXT_LENGTH_MAX - 1)}…` : text;
}

/** An age or a duration, two digits or so: "0.4 s", "12 s", "3 min", "2.5 h", "6 d". */
export function durationText(durationMs: number): string {
  const seconds = Math.max(0, durationMs) / 1_000;
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 7_200) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172_800) return `${(seconds / 3_600).toFixed(1)} h`;
  return `${Math.round(seconds / 86_400)} d`;
}

export function bytesText(bytes: number): string {
  if (bytes < 1_000) return `${bytes} B`;
  if (bytes < 1e6) return `${(bytes / 1e3).toFixed(1)} kB`;
  if (bytes < 1e9) return `${(bytes / 1e6).toFixed(1)} MB`;
  return `${(bytes / 1e9).toFixed(2)} GB`;
}

/** This box's local date and time to the millisecond; UTC stays in `--json`. */
export function timeText(timeMs: number): string {
  const date = new Date(timeMs);
  const two = (value: number): string => String(value).padStart(2, "0");
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  const clock = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
  return `${day} ${clock}.${String(date.getMilliseconds()).padStart(3, "0")}`;
}

export function countText(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}
