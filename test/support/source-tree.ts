import { type Dirent, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve, sep } from "node:path";

/** The repository's root. */
export const ROOT = resolve(import.meta.dirname, "../..");

const FOLDERS = ["edge", "cloud-sync", "models", "modules", "test"];
const SKIPPED = new Set(["node_modules", "dist", ".runtime"]);

export interface SourceFile {
  /** From the root, with "/". */
  readonly path: string;
  readonly text: string;
  /** Files of this repository that it imports, from the root; types too. */
  readonly imports: readonly string[];
}

/** All TypeScript of the repository. */
export function sourceFiles(): SourceFile[] {
  return FOLDERS.flatMap((folder) => walk(join(ROOT, folder)))
    .filter((path) => /\.tsx?$/.test(path))
    .map((path) => {
      const text = readFileSync(path, "utf8");
      return {
        path: fromRoot(path),
        text,
        imports: importsOf(text).map((name) => fromRoot(resolve(dirname(path), name))),
      };
    });
}

export function isTest(path: string): boolean {
  return path.startsWith("test/") || path.includes(".test.");
}

function walk(folder: string): string[] {
  let entries: Dirent[];
  try {
    entries = readdirSync(folder, { withFileTypes: true });
  } catch {
    return [];
  }
  return entries.flatMap((entry) => {
    if (SKIPPED.has(entry.name)) return [];
    const path = join(folder, entry.name);
    return entry.isDirectory() ? walk(path) : [path];
  });
}

/** Relative module names of static and dynamic imports and of re-exports. */
function importsOf(text: string): string[] {
  const code = withoutComments(text);
  const names = [
    ...code.matchAll(/(?:^|\n)\s*(?:import|export)\s[^;"'`]*?\sfrom\s*["'](\.[^"']+)["']/g),
    ...code.matchAll(/(?:^|\n)\s*import\s*["'](\.[^"']+)["']/g),
    ...code.matchAll(/\bimport\(\s*["'](\.[^"']+)["']/g),
  ].map((match) => match[1] ?? "");
  return [...new Set(names)];
}

/** Code with comments blanked; strings stay, which is enough for looking at declarations. */
export function withoutComments(text: string): string {
  return text.replace(
    /("(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`)|\/\*[\s\S]*?\*\/|\/\/[^\n]*/g,
    (_, kept) => kept ?? "",
  );
}

/** Code with comments and the insides of strings blanked. */
export function withoutStrings(text: string): string {
  return withoutComments(text).replace(/"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`/g, '""');
}

function fromRoot(path: string): string {
  return relative(ROOT, path).split(sep).join("/");
}
