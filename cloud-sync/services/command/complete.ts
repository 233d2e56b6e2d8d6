import type { TObject } from "@fastify/type-provider-typebox";
import type { JsonObject, JsonValue } from "../../contract/event.ts";

interface Plain {
  readonly type?: string;
  readonly properties?: Readonly<Record<string, Plain>>;
  readonly items?: Plain;
}

/** The data with every field that its schema knows, null where it was left out, in the schema's order. */
export function complete(schema: TObject, data: unknown): JsonObject {
  return filled(schema as Plain, data as JsonValue) as JsonObject;
}

function filled(schema: Plain, value: JsonValue): JsonValue {
  if (schema.properties !== undefined && typeof value === "object" && value !== null) {
    const given = value as JsonObject;
    return Object.fromEntries(
      Object.entries(schema.properties).map(([name, field]) => [name, filled(field, given[name] ?? null)]),
    );
  }
  const { items } = schema;
  if (items !== undefined && Array.isArray(value)) return value.map((each) => filled(items, each as JsonValue));
  return value;
}
