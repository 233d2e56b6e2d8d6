import type { Json } from "../ports.ts";

/** What a query text means. Only what this hub can answer has a form here; all else is refused by the parser. */
export const QUERY_SOURCES = ["devices", "devices.modules", "devices.jobs"] as const;
export type QuerySource = (typeof QUERY_SOURCES)[number];

export type Comparison = "=" | "!=" | "<" | "<=" | ">" | ">=";
export type Arithmetic = "+" | "-" | "*" | "/" | "%";

export type Expression =
  | { readonly kind: "literal"; readonly value: Json }
  | { readonly kind: "path"; readonly steps: readonly string[] }
  | { readonly kind: "not"; readonly operand: Expression }
  | { readonly kind: "and" | "or"; readonly left: Expression; readonly right: Expression }
  | { readonly kind: "compare"; readonly operator: Comparison; readonly left: Expression; readonly right: Expression }
  | { readonly kind: "compute"; readonly operator: Arithmetic; readonly left: Expression; readonly right: Expression }
  | {
      readonly kind: "in";
      readonly operand: Expression;
      readonly list: readonly Expression[];
      readonly negated: boolean;
    }
  | { readonly kind: "call"; readonly name: string; readonly operands: readonly Expression[] };

export const AGGREGATES = ["COUNT", "SUM", "AVG", "MIN", "MAX"] as const;
export type AggregateName = (typeof AGGREGATES)[number];

export interface Field {
  /** Name in the answer: after AS, else the last step of a path. */
  readonly name: string;
  readonly value:
    | Expression
    | { readonly kind: "aggregate"; readonly aggregate: AggregateName; readonly operand: Expression | undefined };
}

export interface Query {
  readonly source: QuerySource;
  readonly top: number | undefined;
  /** Undefined is SELECT *. */
  readonly fields: readonly Field[] | undefined;
  readonly where: Expression | undefined;
  readonly groupBy: readonly Expression[];
}

export function hasAggregate(query: Query): boolean {
  return query.groupBy.length > 0 || (query.fields?.some(({ value }) => value.kind === "aggregate") ?? false);
}
