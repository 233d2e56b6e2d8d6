import { tagged, untagged } from "../contract/frame/tagged-json.ts";
import type { SampleValue } from "../contract/sample.ts";

/**
 * How values that are no numbers stand in the column `text`: JSON that SQL can read. "running", true, 18446744073709551615 (an integer of
 * 64 bits; plain numbers have no text), [1,2.5]. In an array what JSON does not have is tagged (contract/frame/tagged-json.ts).
 * @returns null of a number and of null
 */
export function textOfValue(value: SampleValue): string | null {
  switch (typeof value) {
    case "number":
      return null;
    case "bigint":
      return value.toString();
    case "string":
    case "boolean":
      return JSON.stringify(value);
    default:
      return value === null ? null : JSON.stringify(tagged(value));
  }
}

/** What SQL can compute with; null where there is nothing. */
export function numberOfValue(value: SampleValue): number | null {
  if (typeof value === "number") return value;
  return typeof value === "bigint" || typeof value === "boolean" ? Number(value) : null;
}

/** The value that the columns `value` and `text` stand for. */
export function valueOfColumns(value: number | null, text: string | null): SampleValue {
  if (text === null) return value;
  if (/^-?\d+$/.test(text)) return BigInt(text);
  const json: unknown = JSON.parse(text);
  return (Array.isArray(json) ? untagged(json) : json) as SampleValue;
}
