import type { Json } from "../ports.ts";

/** Undefined is "not there": a property that a document does not have, or a comparison of things of different types. */
export type Value = Json | undefined;

interface QueryFunction {
  readonly operands: number;
  call(...values: readonly Value[]): Value;
}

const isObject = (value: Value): boolean => typeof value === "object" && value !== null && !Array.isArray(value);
const isPrimitive = (value: Value): boolean => value === null || ["string", "number", "boolean"].includes(typeof value);

/** An answer that holds only of what is there. */
function test(check: (value: Value) => boolean): QueryFunction {
  return { operands: 1, call: (value) => value !== undefined && check(value) };
}

function ofTexts(check: (text: string, other: string) => Value): QueryFunction {
  return {
    operands: 2,
    call: (text, other) => (typeof text === "string" && typeof other === "string" ? check(text, other) : undefined),
  };
}

function ofText(change: (text: string) => Value): QueryFunction {
  return { operands: 1, call: (text) => (typeof text === "string" ? change(text) : undefined) };
}

const startsWith = ofTexts((text, beginning) => text.startsWith(beginning));
const endsWith = ofTexts((text, ending) => text.endsWith(ending));

export const FUNCTIONS: Readonly<Record<string, QueryFunction | undefined>> = {
  IS_DEFINED: { operands: 1, call: (value) => value !== undefined },
  IS_NULL: test((value) => value === null),
  IS_BOOL: test((value) => typeof value === "boolean"),
  IS_NUMBER: test((value) => typeof value === "number"),
  IS_STRING: test((value) => typeof value === "string"),
  IS_ARRAY: test((value) => Array.isArray(value)),
  IS_OBJECT: test(isObject),
  IS_PRIMITIVE: test(isPrimitive),
  STARTSWITH: startsWith,
  STARTS_WITH: startsWith,
  ENDSWITH: endsWith,
  ENDS_WITH: endsWith,
  CONTAINS: ofTexts((text, part) => text.includes(part)),
  INDEX_OF: ofTexts((text, part) => text.indexOf(part)),
  LOWER: ofText((text) => text.toLowerCase()),
  UPPER: ofText((text) => text.toUpperCase()),
  LENGTH: ofText((text) => text.length),
};
