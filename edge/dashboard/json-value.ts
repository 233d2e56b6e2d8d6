import type { SampleValue } from "../../cloud-sync/contract/sample.ts";

export type JsonScalar = number | string | boolean | null;
export type JsonSampleValue = JsonScalar | JsonScalar[];

/** Elements of an array that are shown; a longer one ends in "…". */
const ARRAY_ELEMENTS_MAX = 64;

/** A sample's value in JSON: int64 and uint64 as decimal strings, and "NaN", "Infinity", "-Infinity", which JSON has no words for. */
export function jsonValueOf(value: SampleValue): JsonSampleValue {
  if (typeof value !== "object" || value === null) return scalarOf(value);
  const shown = value.slice(0, ARRAY_ELEMENTS_MAX).map(scalarOf);
  if (value.length > ARRAY_ELEMENTS_MAX) shown.push("…");
  return shown;
}

function scalarOf(value: Exclude<SampleValue, readonly unknown[]>): JsonScalar {
  if (typeof value === "bigint") return value.toString();
  if (typeof value === "number" && !Number.isFinite(value)) return String(value);
  return value;
}

/** For JSON.stringify over whole events: the same rules as `jsonValueOf`, without a limit on arrays. */
export function jsonReplacer(_key: string, value: unknown): unknown {
  if (typeof value === "bigint") return value.toString();
  if (typeof value === "number" && !Number.isFinite(value)) return String(value);
  return value;
}
