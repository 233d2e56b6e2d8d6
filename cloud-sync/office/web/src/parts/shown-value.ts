import { DASH } from "../words.ts";

/** A field's value as a person reads it in a table. */
export function shownValue(value: unknown): string {
  if (value === null || value === undefined || value === "") return DASH;
  if (typeof value === "string") return value;
  if (Array.isArray(value) && value.length === 0) return DASH;
  return JSON.stringify(value);
}
