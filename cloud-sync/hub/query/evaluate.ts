import { isDeepStrictEqual } from "node:util";
import type { JsonMap } from "../ports.ts";
import { FUNCTIONS, type Value } from "./functions.ts";
import type { Arithmetic, Comparison, Expression } from "./query.ts";

/**
 * The value of an expression for one document. Logic is three-valued: what compares with a property that is not there is
 * neither true nor false, and a condition holds only when it is true.
 */
export function evaluate(expression: Expression, document: JsonMap): Value {
  switch (expression.kind) {
    case "literal":
      return expression.value;
    case "path":
      return lookUp(document, expression.steps);
    case "not": {
      const value = evaluate(expression.operand, document);
      return typeof value === "boolean" ? !value : undefined;
    }
    case "and":
      return both(evaluate(expression.left, document), () => evaluate(expression.right, document), false);
    case "or":
      return both(evaluate(expression.left, document), () => evaluate(expression.right, document), true);
    case "compare":
      return compare(expression.operator, evaluate(expression.left, document), evaluate(expression.right, document));
    case "compute":
      return compute(expression.operator, evaluate(expression.left, document), evaluate(expression.right, document));
    case "in": {
      const value = evaluate(expression.operand, document);
      if (value === undefined) return undefined;
      const found = expression.list.some((each) => compare("=", value, evaluate(each, document)) === true);
      return found !== expression.negated;
    }
    case "call":
      return FUNCTIONS[expression.name]?.call(...expression.operands.map((operand) => evaluate(operand, document)));
  }
}

/** Whether a condition is true of a document. */
export function holds(condition: Expression | undefined, document: JsonMap): boolean {
  return condition === undefined || evaluate(condition, document) === true;
}

function lookUp(document: JsonMap, steps: readonly string[]): Value {
  let value: Value = document;
  for (const step of steps) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, step)) return undefined;
    value = (value as Readonly<Record<string, Value>>)[step];
  }
  return value;
}

/** AND when `decides` is false, OR when it is true. */
function both(left: Value, right: () => Value, decides: boolean): Value {
  if (left === decides) return decides;
  const other = right();
  if (other === decides) return decides;
  return typeof left === "boolean" && typeof other === "boolean" ? !decides : undefined;
}

function compare(operator: Comparison, left: Value, right: Value): Value {
  if (left === undefined || right === undefined) return undefined;
  if (operator === "=" || operator === "!=") return isDeepStrictEqual(left, right) === (operator === "=");
  const sameOrder =
    (typeof left === "number" && typeof right === "number") || (typeof left === "string" && typeof right === "string");
  if (!sameOrder) return undefined;
  switch (operator) {
    case "<":
      return left < right;
    case "<=":
      return left <= right;
    case ">":
      return left > right;
    case ">=":
      return left >= right;
  }
}

function compute(operator: Arithmetic, left: Value, right: Value): Value {
  if (typeof left !== "number" || typeof right !== "number") return undefined;
  switch (operator) {
    case "+":
      return left + right;
    case "-":
      return left - right;
    case "*":
      return left * right;
    case "/":
      return right === 0 ? undefined : left / right;
    case "%":
      return right === 0 ? undefined : left % right;
  }
}
