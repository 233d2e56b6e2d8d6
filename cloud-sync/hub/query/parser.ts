import { HubError } from "../hub-error.ts";
import type { Json } from "../ports.ts";
import { ExpressionParser } from "./expression-parser.ts";
import { AGGREGATES, type Expression, type Field, hasAggregate, QUERY_SOURCES, type Query } from "./query.ts";
import { tokenize } from "./tokenizer.ts";

const TOP_MAX = 100_000;

/**
 * The subset of IoT Hub's query language that this hub answers:
 *   SELECT [TOP n] * | field [AS name], … FROM devices | devices.modules | devices.jobs [AS name]
 *   [WHERE condition] [GROUP BY path, …]
 * Conditions: = != <> < <= > >= AND OR NOT IN NIN, arithmetic, IS_DEFINED and its kin, STARTSWITH and its kin.
 * @throws HubError ArgumentInvalid, which says where and what was expected
 */
export function parseQuery(text: string): Query {
  const parser = new ExpressionParser(tokenize(text), text);
  parser.expectWord("SELECT");
  const top = parser.takeWord("TOP") ? takeTop(parser) : undefined;
  const fields = parser.takeSign("*") ? undefined : takeFields(parser);
  parser.expectWord("FROM");
  const source = takeSource(parser);
  parser.alias = takeAlias(parser);
  const where = parser.takeWord("WHERE") ? parser.expression() : undefined;
  const groupBy = parser.takeWord("GROUP") ? takeGroups(parser) : [];
  if (parser.peekWord("ORDER")) throw parser.unexpected("ORDER BY is not supported");
  parser.expectEnd();
  const query: Query = { source, top, fields: fields?.map((field) => withoutAlias(field, parser)), where, groupBy };
  refuseUngrouped(query);
  return query;
}

/**
 * The condition of a configuration's target or of a job: a WHERE clause without the word. Empty is nobody, * is everybody.
 * @throws HubError ArgumentInvalid
 */
export function parseCondition(text: string): Expression {
  const literal = (value: Json): Expression => ({ kind: "literal", value });
  if (text.trim() === "") return literal(false);
  if (text.trim() === "*") return literal(true);
  const parser = new ExpressionParser(tokenize(text), text);
  const condition = parser.expression();
  parser.expectEnd();
  return condition;
}

function takeTop(parser: ExpressionParser): number {
  const bracket = parser.takeSign("(");
  const token = parser.next();
  if (token.kind !== "number" || !Number.isInteger(token.value) || token.value < 1 || token.value > TOP_MAX) {
    throw parser.unexpected(`expected a number from 1 to ${TOP_MAX} after TOP`, token);
  }
  if (bracket) parser.expectSign(")");
  return token.value;
}

function takeFields(parser: ExpressionParser): Field[] {
  const fields: Field[] = [];
  do fields.push(takeField(parser, fields.length + 1));
  while (parser.takeSign(","));
  return fields;
}

function takeField(parser: ExpressionParser, position: number): Field {
  const aggregate = AGGREGATES.find((name) => parser.peekCall(name));
  const value: Field["value"] =
    aggregate === undefined ? parser.expression() : { kind: "aggregate", aggregate, operand: takeOperand(parser) };
  if (aggregate !== undefined && aggregate !== "COUNT" && value.kind === "aggregate" && value.operand === undefined) {
    throw parser.unexpected(`${aggregate} needs a property`);
  }
  const own = value.kind === "path" ? value.steps.at(-1) : undefined;
  const name = parser.takeWord("AS") ? parser.nameToken().text : undefined;
  // As in Cosmos DB, from whose language this one comes: what has no name is numbered.
  return { name: name ?? own ?? `$${position}`, value };
}

/** Between the brackets of an aggregate: nothing, *, or an expression. */
function takeOperand(parser: ExpressionParser): Expression | undefined {
  parser.next();
  parser.expectSign("(");
  if (parser.takeSign(")")) return undefined;
  if (parser.takeSign("*")) {
    parser.expectSign(")");
    return undefined;
  }
  const operand = parser.expression();
  parser.expectSign(")");
  return operand;
}

function takeSource(parser: ExpressionParser): Query["source"] {
  const first = parser.nameToken();
  const second = parser.takeSign(".") ? parser.nameToken() : undefined;
  const text = second === undefined ? first.text : `${first.text}.${second.text}`;
  const source = QUERY_SOURCES.find((known) => known === text.toLowerCase());
  if (source === undefined) {
    throw parser.unexpected(`cannot select FROM ${text}, only from ${QUERY_SOURCES.join(", ")}`, first);
  }
  return source;
}

function takeAlias(parser: ExpressionParser): string | undefined {
  if (parser.takeWord("AS")) return parser.nameToken().text;
  const taken = ["WHERE", "GROUP", "ORDER", "JOIN"].some((word) => parser.peekWord(word));
  return taken || parser.peek().kind !== "word" ? undefined : parser.nameToken().text;
}

function takeGroups(parser: ExpressionParser): Expression[] {
  parser.expectWord("BY");
  const groups: Expression[] = [];
  do groups.push(parser.path());
  while (parser.takeSign(","));
  return groups;
}

/** The fields come before the FROM that names the alias. */
function withoutAlias(field: Field, parser: ExpressionParser): Field {
  const { value } = field;
  if (value.kind !== "aggregate") return { ...field, value: parser.stripAlias(value) };
  return value.operand === undefined
    ? field
    : { ...field, value: { ...value, operand: parser.stripAlias(value.operand) } };
}

function refuseUngrouped(query: Query): void {
  if (!hasAggregate(query)) return;
  if (query.fields === undefined) throw new HubError("ArgumentInvalid", "SELECT * cannot be grouped");
  const groups = new Set(query.groupBy.map((group) => JSON.stringify(group)));
  const stray = query.fields.find(({ value }) => value.kind !== "aggregate" && !groups.has(JSON.stringify(value)));
  if (stray !== undefined)
    throw new HubError("ArgumentInvalid", `${stray.name} stands beside an aggregate but not in GROUP BY`);
}
