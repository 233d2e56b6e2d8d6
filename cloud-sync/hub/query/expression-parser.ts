import { HubError } from "../hub-error.ts";
import { FUNCTIONS } from "./functions.ts";
import type { Arithmetic, Comparison, Expression } from "./query.ts";
import { excerpt, type Token } from "./tokenizer.ts";

/** Brackets and NOTs within each other; a recursive descent must not be led into the stack's end. */
const DEPTH_MAX = 100;
/** ANDs, ORs and arithmetic: each is evaluated within the next one. */
const CHAINED_MAX = 1_000;
const COMPARISONS: Readonly<Record<string, Comparison>> = {
  "=": "=",
  "!=": "!=",
  "<>": "!=",
  "<": "<",
  "<=": "<=",
  ">": ">",
  ">=": ">=",
};

/** Recursive descent over the tokens of a query, weakest binding first: OR, AND, NOT, comparison, + -, * / %. */
export class ExpressionParser {
  /** Name of the source in paths: `FROM devices d`. */
  alias: string | undefined;
  readonly #tokens: readonly Token[];
  readonly #text: string;
  #position = 0;
  #depth = 0;
  #chained = 0;

  constructor(tokens: readonly Token[], text: string) {
    this.#tokens = tokens;
    this.#text = text;
  }

  expression(): Expression {
    return this.#nested(() => {
      let left = this.#and();
      while (this.#takeChained(() => this.takeWord("OR"))) left = { kind: "or", left, right: this.#and() };
      return left;
    });
  }

  /** `tags.location['building 5'].[[floor]]` */
  path(): Expression {
    const steps = [this.nameToken().text];
    for (;;) {
      if (this.takeSign(".")) steps.push(this.nameToken().text);
      else if (this.takeSign("[")) {
        const key = this.next();
        if (key.kind !== "string" && key.kind !== "number") throw this.unexpected("expected a name in quotes", key);
        steps.push(key.text);
        this.expectSign("]");
      } else if (this.peek().kind === "name") steps.push(this.next().text);
      else return this.stripAlias({ kind: "path", steps });
    }
  }

  /** Paths without the source's name in front of them. */
  stripAlias(expression: Expression): Expression {
    const alias = this.alias;
    if (alias === undefined) return expression;
    const strip = (each: Expression): Expression => {
      switch (each.kind) {
        case "path":
          return each.steps[0] === alias && each.steps.length > 1 ? { ...each, steps: each.steps.slice(1) } : each;
        case "literal":
          return each;
        case "not":
          return { ...each, operand: strip(each.operand) };
        case "in":
          return { ...each, operand: strip(each.operand), list: each.list.map(strip) };
        case "call":
          return { ...each, operands: each.operands.map(strip) };
        case "and":
        case "or":
        case "compare":
        case "compute":
          return { ...each, left: strip(each.left), right: strip(each.right) };
      }
    };
    return strip(expression);
  }

  peek(): Token {
    return this.#tokens[this.#position] ?? { kind: "end", text: "", at: this.#text.length };
  }

  next(): Token {
    const token = this.peek();
    this.#position++;
    return token;
  }

  peekWord(word: string): boolean {
    const token = this.peek();
    return token.kind === "word" && token.text.toUpperCase() === word;
  }

  /** `NAME(` comes next. */
  peekCall(name: string): boolean {
    const bracket = this.#tokens[this.#position + 1];
    return this.peekWord(name) && bracket?.kind === "sign" && bracket.text === "(";
  }

  takeWord(word: string): boolean {
    const found = this.peekWord(word);
    if (found) this.#position++;
    return found;
  }

  expectWord(word: string): void {
    if (!this.takeWord(word)) throw this.unexpected(`expected ${word}`);
  }

  takeSign(sign: string): boolean {
    const token = this.peek();
    const found = token.kind === "sign" && token.text === sign;
    if (found) this.#position++;
    return found;
  }

  expectSign(sign: string): void {
    if (!this.takeSign(sign)) throw this.unexpected(`expected "${sign}"`);
  }

  expectEnd(): void {
    if (this.peek().kind !== "end") throw this.unexpected("expected the query's end");
  }

  nameToken(): Token {
    const token = this.next();
    if (token.kind !== "word" && token.kind !== "name") throw this.unexpected("expected a name", token);
    return token;
  }

  unexpected(what: string, token: Token = this.peek()): HubError {
    const found = token.kind === "end" ? "the query ends" : `it says ${excerpt(this.#text, token.at)}`;
    return new HubError("ArgumentInvalid", `${what} at ${token.at + 1} of the query, where ${found}`);
  }

  #and(): Expression {
    let left = this.#not();
    while (this.#takeChained(() => this.takeWord("AND"))) left = { kind: "and", left, right: this.#not() };
    return left;
  }

  #not(): Expression {
    if (!this.takeWord("NOT")) return this.#comparison();
    return this.#nested(() => ({ kind: "not", operand: this.#not() }));
  }

  #comparison(): Expression {
    const left = this.#sum();
    const token = this.peek();
    const operator = token.kind === "sign" ? COMPARISONS[token.text] : undefined;
    if (operator !== undefined) {
      this.#position++;
      return { kind: "compare", operator, left, right: this.#sum() };
    }
    if (this.takeWord("IN")) return { kind: "in", operand: left, list: this.#list(), negated: false };
    if (this.takeWord("NIN")) return { kind: "in", operand: left, list: this.#list(), negated: true };
    if (this.takeWord("NOT")) {
      this.expectWord("IN");
      return { kind: "in", operand: left, list: this.#list(), negated: true };
    }
    return left;
  }

  /** `['a', 'b']`, or with round brackets. */
  #list(): Expression[] {
    const close = this.takeSign("(") ? ")" : "]";
    if (close === "]") this.expectSign("[");
    const list: Expression[] = [];
    do list.push(this.expression());
    while (this.takeSign(","));
    this.expectSign(close);
    return list;
  }

  #sum(): Expression {
    let left = this.#product();
    for (let operator = this.#takeOperator("+", "-"); operator; operator = this.#takeOperator("+", "-"))
      left = { kind: "compute", operator, left, right: this.#product() };
    return left;
  }

  #product(): Expression {
    let left = this.#primary();
    for (let operator = this.#takeOperator("*", "/", "%"); operator; operator = this.#takeOperator("*", "/", "%"))
      left = { kind: "compute", operator, left, right: this.#primary() };
    return left;
  }

  #takeOperator(...operators: Arithmetic[]): Arithmetic | undefined {
    return this.#takeChained(() => operators.find((operator) => this.takeSign(operator)));
  }

  #takeChained<T>(take: () => T): T {
    const taken = take();
    if (taken && ++this.#chained > CHAINED_MAX) throw this.unexpected(`more than ${CHAINED_MAX} operators`);
    return taken;
  }

  #primary(): Expression {
    const token = this.peek();
    if (token.kind === "number" || token.kind === "string") {
      this.#position++;
      return { kind: "literal", value: token.kind === "number" ? token.value : token.text };
    }
    if (this.takeSign("(")) {
      const inner = this.expression();
      this.expectSign(")");
      return inner;
    }
    if (this.takeSign("-")) {
      return this.#nested(() => ({
        kind: "compute",
        operator: "-",
        left: { kind: "literal", value: 0 },
        right: this.#primary(),
      }));
    }
    for (const [word, value] of [
      ["TRUE", true],
      ["FALSE", false],
      ["NULL", null],
    ] as const)
      if (this.takeWord(word)) return { kind: "literal", value };
    if (token.kind === "word" && this.peekCall(token.text.toUpperCase())) return this.#call();
    return this.path();
  }

  #call(): Expression {
    const token = this.next();
    const name = token.text.toUpperCase();
    const known = FUNCTIONS[name];
    if (known === undefined) throw this.unexpected(`the function ${token.text} is not supported`, token);
    this.expectSign("(");
    const operands: Expression[] = [];
    if (!this.takeSign(")")) {
      do operands.push(this.expression());
      while (this.takeSign(","));
      this.expectSign(")");
    }
    if (operands.length !== known.operands) {
      throw this.unexpected(`${name} takes ${known.operands} operands, not ${operands.length}`, token);
    }
    return { kind: "call", name, operands };
  }

  #nested(parse: () => Expression): Expression {
    if (++this.#depth > DEPTH_MAX) throw this.unexpected(`more than ${DEPTH_MAX} levels of nesting`);
    const expression = parse();
    this.#depth--;
    return expression;
  }
}
