import { HubError } from "../hub-error.ts";
import type { Json, JsonMap } from "../ports.ts";

export const TAGS_BYTES_MAX = 8 << 10;
export const PROPERTIES_BYTES_MAX = 32 << 10;
const DEPTH_MAX = 10;
const KEY_BYTES_MAX = 1_024;
const TEXT_BYTES_MAX = 4_096;
/** IoT Hub's: a whole number outside of it loses digits in its store. */
const INTEGER_MAX = 4_503_599_627_370_496;
const NUMBER_BYTES = 8;
const BOOLEAN_BYTES = 4;
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const FORBIDDEN_IN_KEY = /[\u0000-\u001f\u007f-\u009f.$ ]/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/g;

/** What a client may write into a section of a twin. @throws HubError ArgumentInvalid */
export function checkPatch(patch: JsonMap, name: string): void {
  if (typeof patch !== "object" || patch === null || Array.isArray(patch)) {
    throw new HubError("ArgumentInvalid", `${name} is a JSON object`);
  }
  checkMap(patch, name, 1);
}

/** @throws HubError ArgumentInvalid when the section grew and is larger than it may be */
export function checkSize(values: JsonMap, old: JsonMap, name: string, bytesMax: number): void {
  const bytes = sizeOf(values);
  if (bytes > bytesMax && bytes > sizeOf(old)) {
    throw new HubError("ArgumentInvalid", `${name} would have ${bytes} bytes, at most ${bytesMax} are allowed`);
  }
}

function checkMap(map: JsonMap, path: string, depth: number): void {
  if (depth > DEPTH_MAX) throw new HubError("ArgumentInvalid", `${path} is nested deeper than ${DEPTH_MAX} levels`);
  for (const [key, value] of Object.entries(map)) {
    if (key === "" || Buffer.byteLength(key) > KEY_BYTES_MAX || FORBIDDEN_IN_KEY.test(key)) {
      throw new HubError(
        "ArgumentInvalid",
        `"${key.slice(0, 64)}" in ${path} is not a key: no dots, dollar signs, blanks and control characters, at most 1 KB`,
      );
    }
    checkValue(value, `${path}.${key}`, depth);
  }
}

function checkValue(value: Json, path: string, depth: number): void {
  if (Array.isArray(value)) {
    if (depth + 1 > DEPTH_MAX)
      throw new HubError("ArgumentInvalid", `${path} is nested deeper than ${DEPTH_MAX} levels`);
    for (const each of value as readonly Json[]) checkValue(each, path, depth + 1);
  } else if (typeof value === "object" && value !== null) {
    checkMap(value as JsonMap, path, depth + 1);
  } else if (typeof value === "string" && Buffer.byteLength(value) > TEXT_BYTES_MAX) {
    throw new HubError("ArgumentInvalid", `${path} is longer than ${TEXT_BYTES_MAX} bytes`);
  } else if (typeof value === "number" && Number.isInteger(value) && Math.abs(value) > INTEGER_MAX) {
    throw new HubError("ArgumentInvalid", `${path} is outside of ±${INTEGER_MAX}`);
  }
}

/** As IoT Hub counts it: keys and values, without control characters and metadata. */
function sizeOf(value: Json): number {
  if (value === null) return 0;
  if (typeof value === "string") return textBytes(value);
  if (typeof value === "number") return NUMBER_BYTES;
  if (typeof value === "boolean") return BOOLEAN_BYTES;
  if (Array.isArray(value)) return (value as readonly Json[]).reduce((sum: number, each) => sum + sizeOf(each), 0);
  return Object.entries(value as JsonMap).reduce((sum, [key, each]) => sum + textBytes(key) + sizeOf(each), 0);
}

function textBytes(text: string): number {
  return Buffer.byteLength(text.replaceAll(CONTROL, ""));
}
