import { HubError } from "../hub-error.ts";

const QUERY_CHARACTERS_MAX = 16_384;

export type Token =
  | { readonly kind: "word"; readonly text: string; readonly at: number }
  | { readonly kind: "name"; readonly text: string; readonly at: number }
  | { readonly kind: "string"; readonly text: string; readonly at: number }
  | { readonly kind: "number"; readonly value: number; readonly text: string; readonly at: number }
  | { readonly kind: "sign"; readonly text: string; readonly at: number }
  | { readonly kind: "end"; readonly text: ""; readonly at: number };

// In this order: `[[name]]` before `[`, two-character signs before their first one.
const GRAMMAR: readonly (readonly [kind: "blank" | Token["kind"], pattern: RegExp])[] = [
  ["blank", /\s+/y],
  ["name", /\[\[([^\]]+)\]\]/y],
  ["word", /[A-Za-z_$][\w$]*/y],
  ["number", /(?:\d+(?:\.\d+)?|\.\d+)(?:[eE][+-]?\d+)?/y],
  ["string", /'((?:[^'\\]|\\.|'')*)'|"((?:[^"\\]|\\.|"")*)"/y],
  ["sign", /<=|>=|!=|<>|[=<>()[\],.*+\-/%]/y],
];

/**
 * Words, names in `[[…]]`, strings, numbers and signs of a query; the last one is the end.
 * @throws HubError ArgumentInvalid with the place, counted from 1
 */
export function tokenize(text: string): Token[] {
  if (text.length > QUERY_CHARACTERS_MAX) {
    throw new HubError("ArgumentInvalid", `the query is longer than ${QUERY_CHARACTERS_MAX} characters`);
  }
  const tokens: Token[] = [];
  let at = 0;
  while (at < text.length) {
    const match = matchAt(text, at);
    if (match === undefined) {
      throw new HubError("ArgumentInvalid", `the query has something unknown at ${at + 1}: ${excerpt(text, at)}`);
    }
    if (match.token !== undefined) tokens.push(match.token);
    at += match.length;
  }
  return [...tokens, { kind: "end", text: "", at }];
}

function matchAt(text: string, at: number): { token: Token | undefined; length: number } | undefined {
  for (const [kind, pattern] of GRAMMAR) {
    pattern.lastIndex = at;
    const match = pattern.exec(text);
    if (match === null) continue;
    const [whole, first, second] = match;
    const token = kind === "blank" || kind === "end" ? undefined : tokenOf(kind, whole, first ?? second ?? "", at);
    return { token, length: whole.length };
  }
  return undefined;
}

function tokenOf(kind: Exclude<Token["kind"], "end">, whole: string, inner: string, at: number): Token {
  if (kind === "number") return { kind, value: Number(whole), text: whole, at };
  if (kind === "string") return { kind, text: withoutEscapes(inner, whole.charAt(0)), at };
  if (kind === "name") return { kind, text: inner.trim(), at };
  return { kind, text: whole, at };
}

/** A doubled quote and a backslash both escape. */
function withoutEscapes(inner: string, quote: string): string {
  return inner.replaceAll(`${quote}${quote}`, quote).replaceAll(/\\(.)/gs, "$1");
}

export function excerpt(text: string, at: number): string {
  return text.slice(at, at + 20).replaceAll(";", ",");
}
