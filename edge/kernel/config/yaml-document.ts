import {
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  type Pair,
  parseDocument,
  visit,
  type YAMLError,
  YAMLParseError,
} from "yaml";
import type { ConfigPath } from "./problem.ts";

/** Aliases that a document may resolve, counted with their repetition: a bomb of nested anchors stops here. */
export const ALIASES_MAX = 1_000;

const SYNTAX_PROBLEMS_MAX = 5;

export interface Position {
  readonly line: number;
  readonly column: number;
}

export interface SyntaxProblem extends Position {
  readonly path: ConfigPath;
  readonly message: string;
  readonly hint: string;
}

/** A YAML text as plain data that still knows where each key and value stands. */
export interface YamlDocument {
  readonly value: unknown;
  readonly problems: readonly SyntaxProblem[];
  /** False when the text could not be read at all, so that `value` says nothing. */
  readonly readable: boolean;
  /** Where the key or the value at `path` stands; of something that is not there, the nearest that is. */
  positionOf(path: ConfigPath, part: "key" | "value"): Position;
}

const EXPLANATION_BY_CODE: Readonly<Record<string, readonly [message: string, hint: string]>> = {
  TAB_AS_INDENT: [
    "a tab stands where YAML wants spaces",
    "indent with spaces; set the editor to insert spaces for tabs",
  ],
  DUPLICATE_KEY: ["this key stands twice in the same map", "remove or rename one of the two"],
  BAD_INDENT: ["the indentation fits no line above", "put keys of one map in the same column"],
  MULTIPLE_DOCS: ["a second document begins here", "keep one document: remove the line '---' and what follows it"],
  BAD_ALIAS: ["this alias names no anchor above", "define the anchor (&name) before the alias (*name)"],
  RESOURCE_EXHAUSTION: ["the nesting is deeper than a configuration can need", "check for unclosed brackets"],
};

/** Reads YAML 1.2 (core schema, unique keys, no merge keys, bounded aliases). Never throws. */
export function parseYaml(text: string): YamlDocument {
  const lines = new LineCounter();
  const at = (offset: number): Position => {
    const { line, col } = lines.linePos(Math.min(offset, text.length));
    return { line: Math.max(line, 1), column: Math.max(col, 1) };
  };
  const unreadable = (message: string, hint: string): YamlDocument => ({
    value: undefined,
    problems: [{ line: 1, column: 1, path: [], message, hint }],
    readable: false,
    positionOf: () => ({ line: 1, column: 1 }),
  });
  try {
    const document = parseDocument(text, {
      lineCounter: lines,
      prettyErrors: false,
      stringKeys: true,
      schema: "core",
      version: "1.2",
      resolveKnownTags: false,
      logLevel: "error",
    });
    const contents = document.contents as Node | null;
    const resolve = (node: unknown): unknown => (isAlias(node) ? node.resolve(document) : node);
    const lost: YAMLError[] = [];
    visit(document, {
      Alias: (_key, alias) => {
        if (alias.resolve(document) !== undefined) return;
        const [start = 0, end = start] = alias.range ?? [];
        lost.push(new YAMLParseError([start, end], "BAD_ALIAS", "Unresolved alias"));
      },
    });
    const errors = [...document.errors, ...lost];
    const problems = worthTelling([...errors, ...document.warnings]).map((error) => ({
      ...at(error.pos[0]),
      path: pathAt(contents, error.pos[0], resolve),
      ...explain(error),
    }));
    const readable = errors.every((error) => error.code === "DUPLICATE_KEY");
    return {
      value: readable ? (document.toJS({ maxAliasCount: ALIASES_MAX }) as unknown) : undefined,
      problems,
      readable,
      positionOf: (path, part) => at(offsetOf(contents, path, part, resolve)),
    };
  } catch (error) {
    if (error instanceof ReferenceError) {
      return unreadable(
        `the aliases unfold to more than ${ALIASES_MAX} nodes`,
        "use machine types and defaults in place of nested anchors",
      );
    }
    return unreadable(
      `the text can't be read as YAML: ${error instanceof Error ? error.message : String(error)}`,
      "check for deep nesting and unclosed brackets",
    );
  }
}

/** One broken bracket makes a parser stumble over all that follows: the first few say what to mend. */
function worthTelling(errors: readonly YAMLError[]): YAMLError[] {
  const exhausted = errors.find((error) => error.code === "RESOURCE_EXHAUSTION");
  if (exhausted !== undefined) return [exhausted];
  const syntax = errors.filter(
    (error, index) => error.code !== "DUPLICATE_KEY" && error.pos[0] !== errors[index - 1]?.pos[0],
  );
  return [...syntax.slice(0, SYNTAX_PROBLEMS_MAX), ...errors.filter((error) => error.code === "DUPLICATE_KEY")];
}

function explain(error: YAMLError): { message: string; hint: string } {
  if (error.code === "BAD_INDENT" && /end with a/.test(error.message)) {
    return { message: "a bracket above is not closed", hint: "close every { with } and every [ with ]" };
  }
  const known = EXPLANATION_BY_CODE[error.code];
  if (known !== undefined) return { message: known[0], hint: known[1] };
  const [firstLine = ""] = error.message.split("\n");
  return {
    message: `not valid YAML: ${firstLine.charAt(0).toLowerCase()}${firstLine.slice(1).replace(/[.:]$/, "")}`,
    hint: "put texts with : # % { } [ ] & * or @ in quotes, and check indentation and brackets near this line",
  };
}

type Pairs = ReadonlyMap<string, Pair<unknown, unknown>>;
/** Pairs of a map by key, kept so that a thousand mistakes in a long map are found in a thousand steps. */
const PAIRS_BY_MAP = new WeakMap<object, Pairs>();

function pairOf(node: unknown, key: string | number): Pair<unknown, unknown> | undefined {
  if (!isMap(node)) return undefined;
  let pairs = PAIRS_BY_MAP.get(node);
  if (pairs === undefined) {
    pairs = new Map(node.items.map((pair) => [isScalar(pair.key) ? String(pair.key.value) : "", pair]));
    PAIRS_BY_MAP.set(node, pairs);
  }
  return pairs.get(String(key));
}

function startOf(node: unknown): number | undefined {
  return (node as Node | null | undefined)?.range?.[0];
}

function offsetOf(
  contents: Node | null,
  path: ConfigPath,
  part: "key" | "value",
  resolve: (node: unknown) => unknown,
): number {
  let node: unknown = contents;
  let offset = 0;
  for (const [depth, segment] of path.entries()) {
    const container = resolve(node);
    const isLast = depth === path.length - 1;
    if (isSeq(container)) {
      node = container.items[Number(segment)];
      const start = startOf(node);
      if (start === undefined) return offset;
      offset = start;
      continue;
    }
    const pair = pairOf(container, segment);
    if (pair === undefined) return offset;
    const keyStart = startOf(pair.key) ?? offset;
    node = pair.value;
    // A map's own start is its first key, a line further down: the key that leads to it says more.
    const wantsValue = isLast && part === "value" && !isMap(node) && !isSeq(node);
    offset = wantsValue ? (startOf(node) ?? keyStart) : keyStart;
  }
  return offset;
}

function pathAt(contents: Node | null, offset: number, resolve: (node: unknown) => unknown): ConfigPath {
  const path: string[] = [];
  let node: unknown = contents;
  while (isMap(node)) {
    const pair = node.items.findLast((item) => (startOf(item.key) ?? Number.POSITIVE_INFINITY) <= offset);
    if (pair === undefined || !isScalar(pair.key)) break;
    path.push(String(pair.key.value));
    const value = isAlias(pair.value) ? resolve(pair.value) : pair.value;
    if ((startOf(value) ?? Number.POSITIVE_INFINITY) > offset) break;
    node = value;
  }
  return path;
}
