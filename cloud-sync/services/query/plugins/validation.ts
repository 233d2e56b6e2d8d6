import type { FastifyInstance, FastifySchemaCompiler } from "fastify";
import type { TSchema } from "typebox";
import { Errors } from "typebox/value";
import { invalid } from "../refusals.ts";

interface Plain {
  readonly type?: string;
  readonly items?: Plain;
  readonly const?: unknown;
  readonly anyOf?: readonly Plain[];
  readonly default?: unknown;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly maxItems?: number;
  readonly properties?: Readonly<Record<string, Plain>>;
}
type Values = Record<string, unknown>;

/**
 * Requests are checked here rather than by the server's own validator, whose settings are another service's: unknown parameters are
 * refused, a single value stands for a list of one, and what is wrong is told in one sentence. Answers are written as they are.
 */
export function addQueryValidation(app: FastifyInstance): void {
  const compiler: FastifySchemaCompiler<TSchema> = ({ schema }) => {
    const plain = schema as Plain;
    return (given: unknown) => {
      const value = read(plain, { ...(given as Values) });
      const [first] = Errors(schema, value);
      return first === undefined ? { value } : { error: invalid(sentence(plain, value, first.instancePath)) };
    };
  };
  app.setValidatorCompiler(compiler);
  app.setSerializerCompiler(() => (data) => JSON.stringify(data));
}

function read({ properties = {} }: Plain, value: Values): Values {
  for (const [name, schema] of Object.entries(properties)) {
    if (value[name] === undefined) {
      if (schema.default !== undefined) value[name] = schema.default;
    } else if (schema.type === "array") {
      const list: unknown[] = Array.isArray(value[name]) ? value[name] : [value[name]];
      value[name] = list.map((each) => scalar(schema.items ?? {}, each));
    } else {
      value[name] = scalar(schema, value[name]);
    }
  }
  return value;
}

function scalar(schema: Plain, value: unknown): unknown {
  if (typeof value !== "string") return value;
  const types = [schema, ...(schema.anyOf ?? [])].map(({ type, const: only }) => type ?? typeof only);
  if ((types.includes("integer") || types.includes("number")) && /^-?\d+(?:\.\d+)?$/.test(value)) return Number(value);
  if (types.includes("boolean") && (value === "true" || value === "false")) return value === "true";
  return value;
}

function sentence(schema: Plain, value: Values, path: string): string {
  const unknown = Object.keys(value).find((name) => schema.properties?.[name] === undefined);
  if (unknown !== undefined)
    return `there is no parameter "${unknown.slice(0, 60)}" here; known are ${Object.keys(schema.properties ?? {}).join(", ")}`;
  const name = path.split("/")[1] ?? "";
  const of = schema.properties?.[name];
  if (of === undefined) {
    const missing = Object.keys(schema.properties ?? {}).find((each) => value[each] === undefined);
    return `the parameter ${missing ?? name} is missing`;
  }
  return `${name} must be ${expectation(of)}`;
}

function expectation(schema: Plain): string {
  const { type, anyOf, minimum, maximum, minLength = 0, maxLength, maxItems, items } = schema;
  if (anyOf !== undefined) return anyOf.map((each) => JSON.stringify(each.const)).join(" or ");
  if (type === "integer" || type === "number") {
    const kind = type === "integer" ? "a whole number" : "a number";
    if (minimum !== undefined && maximum !== undefined) return `${kind} from ${minimum} to ${maximum}`;
    return minimum === undefined ? kind : `${kind} from ${minimum} on`;
  }
  if (type === "boolean") return "true or false";
  if (type === "array") return `at most ${maxItems ?? 1} values, each ${expectation(items ?? {})}`;
  if (maxLength !== undefined) return `a text of ${minLength} to ${maxLength} characters`;
  return "a text";
}
