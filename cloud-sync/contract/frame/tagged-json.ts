import { FrameError } from "./frame-error.ts";

/**
 * JSON that gives back every number: what JSON does not have are tagged strings, "$NaN", "$-0", "$Infinity", "$-Infinity", "$123n"
 * (a bigint); a string that itself begins with "$" has one more in front. As in block-json.ts.
 */
export function tagged(value: unknown): unknown {
  switch (typeof value) {
    case "number":
      if (Number.isFinite(value) && !Object.is(value, -0)) return value;
      return Object.is(value, -0) ? "$-0" : `$${value}`;
    case "bigint":
      return `$${value}n`;
    case "string":
      return value.startsWith("$") ? `$${value}` : value;
    case "object":
      if (value === null) return null;
      if (Array.isArray(value)) return value.map(tagged);
      return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, tagged(each)]));
    case "boolean":
      return value;
    default:
      return undefined;
  }
}

const SPECIAL: ReadonlyMap<string, number> = new Map([
  ["$NaN", Number.NaN],
  ["$-0", -0],
  ["$Infinity", Number.POSITIVE_INFINITY],
  ["$-Infinity", Number.NEGATIVE_INFINITY],
]);

/** @throws FrameError malformed on a tag that there is not */
export function untagged(value: unknown): unknown {
  if (typeof value === "string") return value.startsWith("$") ? untaggedText(value) : value;
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(untagged);
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, untagged(each)]));
}

function untaggedText(text: string): unknown {
  if (text.startsWith("$$")) return text.slice(1);
  if (/^\$-?\d{1,2500}n$/.test(text)) return BigInt(text.slice(1, -1));
  const special = SPECIAL.get(text);
  if (special === undefined) throw new FrameError("malformed", `${text.slice(0, 40)} is no tagged value`);
  return special;
}
