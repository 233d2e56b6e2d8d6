import { EdgeError } from "../kernel/errors.ts";

const UNIT_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  min: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};
const GRAMMAR = /^(\d+(?:\.\d+)?)(ms|s|min|m|h|d)$/;

/**
 * "500ms", "30s", "5m", "8h", "2d" in milliseconds.
 * @throws EdgeError USAGE
 */
export function parseDuration(text: string): number {
  const match = GRAMMAR.exec(text.trim());
  const unitMs = UNIT_MS[match?.[2] ?? ""];
  if (!match || unitMs === undefined) {
    throw new EdgeError("USAGE", `"${text}" is not a duration`, {
      hint: "Write a number and its unit, such as 500ms, 30s, 5m or 8h.",
    });
  }
  return Number(match[1]) * unitMs;
}

/**
 * An instant for --since: a duration back from now, or an ISO 8601 date and time. UTC epoch milliseconds.
 * @throws EdgeError USAGE
 */
export function parseSince(text: string, nowMs: number): number {
  if (GRAMMAR.test(text.trim())) return nowMs - parseDuration(text);
  const instant = /^\d{4}-\d\d-\d\d/.test(text) ? Date.parse(text) : Number.NaN;
  if (!Number.isFinite(instant)) {
    throw new EdgeError("USAGE", `"${text}" is neither a duration nor a time`, {
      hint: "Write 30s, 5m or 8h for so long ago, or a time such as 2026-03-31T14:00.",
    });
  }
  return instant;
}

/**
 * A whole number within bounds, for an option's value.
 * @throws EdgeError USAGE
 */
export function parseCount(text: string, { min, max, what }: { min: number; max: number; what: string }): number {
  const count = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (!(count >= min && count <= max)) {
    throw new EdgeError("USAGE", `"${text}" is not ${what}`, { hint: `Give a whole number from ${min} to ${max}.` });
  }
  return count;
}
