/** Where something stands in the file: keys and list positions from the root. */
export type ConfigPath = readonly (string | number)[];

/** One mistake (or, as a warning, one doubt) in a configuration file. */
export interface ConfigProblem {
  /** The file as it was named to the loader. */
  readonly file: string;
  /** Counted from 1. */
  readonly line: number;
  /** Counted from 1. */
  readonly column: number;
  /** "machines.mill-01.signals.x.unit"; "" for the file as a whole. */
  readonly path: string;
  /** One sentence: what is there and what was expected. */
  readonly message: string;
  /** What to check or to write instead. */
  readonly hint: string;
}

/** "tailstock.yaml:12:5 machines.mill-01.type: …", without the hint. */
export function formatProblem({ file, line, column, path, message }: ConfigProblem): string {
  return `${file}:${line}:${column} ${path === "" ? "" : `${path}: `}${message}`;
}

/** A problem before its line and column are known. */
export interface Finding {
  readonly path: ConfigPath;
  /** Whether the key or the value at `path` is to blame. */
  readonly part: "key" | "value";
  readonly message: string;
  readonly hint: string;
}

/** Collects findings; the same place with the same hint counts once, for a machine type is checked for each machine. */
export class Findings {
  readonly problems: Finding[] = [];
  readonly warnings: Finding[] = [];
  readonly #seen = new Set<string>();

  problem(path: ConfigPath, message: string, hint: string, part: Finding["part"] = "value"): void {
    if (this.#isNew("problem", path, hint)) this.problems.push({ path, part, message, hint });
  }

  warning(path: ConfigPath, message: string, hint: string, part: Finding["part"] = "value"): void {
    if (this.#isNew("warning", path, hint)) this.warnings.push({ path, part, message, hint });
  }

  #isNew(kind: string, path: ConfigPath, hint: string): boolean {
    const key = JSON.stringify([kind, path, hint]);
    if (this.#seen.has(key)) return false;
    this.#seen.add(key);
    return true;
  }
}

/** A value as a person wrote it, shortened for a message. */
export function shown(value: unknown): string {
  const text = typeof value === "bigint" ? String(value) : (JSON.stringify(value) ?? String(value));
  return text.length <= 60 ? text : `${text.slice(0, 57)}…`;
}
