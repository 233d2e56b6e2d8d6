import type { TSchema } from "typebox";
import type { TLocalizedValidationError } from "typebox/error";
import { Settings } from "typebox/system";
import { Errors } from "typebox/value";
import { type ConfigPath, type Finding, shown } from "./problem.ts";
import { didYouMean } from "./suggest.ts";

/** Errors that the validator collects before it gives up; past this a file is not a configuration. */
const SCHEMA_ERRORS_MAX = 5_000;

const HINT_BY_FORBIDDEN_KEY: Readonly<Record<string, string>> = {
  password: "a password never stands in the configuration: write it to a file of its own and give passwordFile",
  connectionString: "a connection string holds a key: write it to a file of its own and give connectionStringFile",
  sharedAccessKey:
    "a key never stands in the configuration: write the connection string to a file and give connectionStringFile",
  "<<": "merge keys are not supported; share settings by machineTypes, defaults and connections",
};

interface JsonSchema {
  readonly type?: string;
  readonly title?: string;
  readonly description?: string;
  readonly enum?: readonly unknown[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly maxLength?: number;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly anyOf?: readonly JsonSchema[];
}

/**
 * Every deviation of `value` from the schema, one sentence each, with the path to it. Not complete when there were more
 * than are worth collecting: then nothing may be concluded about the rest.
 */
export function schemaFindings(schema: TSchema, value: unknown): { findings: Finding[]; isComplete: boolean } {
  const before = Settings.Get().maxErrors;
  Settings.Set({ maxErrors: SCHEMA_ERRORS_MAX });
  try {
    const seenUnions = new Set<string>();
    const errors = Errors(schema, value);
    const findings = errors.flatMap((error) => findingsOf(schema, value, error, seenUnions));
    return { findings, isComplete: errors.length < SCHEMA_ERRORS_MAX };
  } finally {
    Settings.Set({ maxErrors: before });
  }
}

function findingsOf(root: TSchema, value: unknown, error: TLocalizedValidationError, unions: Set<string>): Finding[] {
  const path = segmentsOf(error.instancePath);
  // Inside a union only the branch that fits the value's kind speaks; when none fits, the union speaks once.
  for (const union of unionsAbove(root, error.schemaPath, value, path)) {
    if (union.branchFits) {
      if (union.isErrorsBranch) continue;
      return [];
    }
    const key = JSON.stringify(union.path);
    if (unions.has(key)) return [];
    unions.add(key);
    return [mismatch(union.path, valueAt(value, union.path), union.schema)];
  }
  if (error.keyword === "anyOf" || error.keyword === "boolean") return [];
  const schema = schemaAt(root, error.schemaPath);
  if (error.keyword === "additionalProperties") {
    const known = Object.keys(schema.properties ?? {});
    return error.params.additionalProperties.map((key) => ({
      path: [...path, key],
      part: "key" as const,
      message:
        key in HINT_BY_FORBIDDEN_KEY
          ? `key '${key}' is not allowed here`
          : `unknown key '${key}'${didYouMean(key, known)}`,
      hint: HINT_BY_FORBIDDEN_KEY[key] ?? `known keys here: ${known.join(", ")}`,
    }));
  }
  if (error.keyword === "required") {
    return error.params.requiredProperties.map((key) => ({
      path: [...path, key],
      part: "key" as const,
      message: `key '${key}' is missing`,
      hint: `add ${key}: ${schema.properties?.[key]?.description ?? expectation(schema.properties?.[key] ?? {})}`,
    }));
  }
  return [mismatch(path, valueAt(value, path), schema)];
}

function mismatch(path: ConfigPath, found: unknown, schema: JsonSchema): Finding {
  const isSecret = path.some((segment) => /password|secret|connectionString|sharedAccess/i.test(String(segment)));
  const what =
    found === null || found === undefined ? "there is no value here" : isSecret ? "this value" : shown(found);
  const suggestion =
    typeof found === "string" && schema.enum !== undefined ? didYouMean(found, schema.enum.map(String)) : "";
  return {
    path,
    part: "value",
    message:
      found === null || found === undefined
        ? `${what}; expected ${expectation(schema)}`
        : `${what} is not ${expectation(schema)}${suggestion}`,
    hint:
      typeof found === "string" && (schema.type === "integer" || schema.type === "number")
        ? "write the number without quotes and without a unit"
        : `write ${expectation(schema)}`,
  };
}

/** What a schema wants, in words: "an integer from 1 to 65535". */
function expectation(schema: JsonSchema): string {
  if (schema.anyOf !== undefined) return schema.title ?? schema.anyOf.map(expectation).join(" or ");
  if (schema.enum !== undefined)
    return schema.enum.length === 1 ? String(schema.enum[0]) : `one of ${schema.enum.join(", ")}`;
  if (schema.type === "integer" || schema.type === "number") {
    const noun = schema.type === "integer" ? "an integer" : "a number";
    if (schema.minimum !== undefined && schema.maximum !== undefined) {
      return `${noun} from ${schema.minimum} to ${schema.maximum}`;
    }
    return schema.minimum === undefined ? noun : `${noun} of at least ${schema.minimum}`;
  }
  if (schema.type === "boolean") return "true or false";
  if (schema.type === "string")
    return `a text${schema.maxLength === undefined ? "" : ` of 1 to ${schema.maxLength} characters`}`;
  if (schema.type === "array") return "a list";
  return "a map with at least one key";
}

interface UnionAbove {
  readonly schema: JsonSchema;
  readonly path: ConfigPath;
  readonly branchFits: boolean;
  readonly isErrorsBranch: boolean;
}

/** The unions on the way to an error, outermost first. */
function unionsAbove(root: TSchema, schemaPath: string, value: unknown, path: ConfigPath): UnionAbove[] {
  return [...schemaPath.matchAll(/\/anyOf\/(\d+)/g)].map((match) => {
    const above = schemaPath.slice(0, match.index);
    const schema = schemaAt(root, above);
    const unionPath = path.slice(0, depthOf(above));
    const found = valueAt(value, unionPath);
    const fitting = (schema.anyOf ?? []).findIndex((branch) => fits(branch, found));
    return { schema, path: unionPath, branchFits: fitting >= 0, isErrorsBranch: fitting === Number(match[1]) };
  });
}

/** How many instance segments lie above a place in the schema: each step into a property or a record's value is one. */
function depthOf(schemaPath: string): number {
  return segmentsOf(schemaPath.slice(1)).filter((s) => s === "properties" || s === "patternProperties" || s === "items")
    .length;
}

function fits(schema: JsonSchema, value: unknown): boolean {
  if (schema.type === "object") return typeof value === "object" && value !== null && !Array.isArray(value);
  return false;
}

function schemaAt(root: TSchema, schemaPath: string): JsonSchema {
  let schema: unknown = root;
  for (const segment of segmentsOf(schemaPath.slice(1)))
    schema = (schema as Record<string, unknown> | undefined)?.[segment];
  return (schema ?? {}) as JsonSchema;
}

export function valueAt(value: unknown, path: ConfigPath): unknown {
  let current = value;
  for (const segment of path) {
    if (typeof current !== "object" || current === null) return undefined;
    current = (current as Record<string | number, unknown>)[segment];
  }
  return current;
}

/** Segments of a JSON pointer. */
function segmentsOf(pointer: string): string[] {
  return pointer
    .split("/")
    .slice(1)
    .map((segment) => segment.replaceAll("~1", "/").replaceAll("~0", "~"));
}
