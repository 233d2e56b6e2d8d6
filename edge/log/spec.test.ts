import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

test("every invariant of SPEC.md has a test that names it, and every named one is in SPEC.md", () => {
  const spec = readFileSync(join(import.meta.dirname, "SPEC.md"), "utf8");
  const promised = [...spec.matchAll(/^\| (L\d\d) \|/gm)].map(([, id]) => id);
  const named = new Set<string>();
  for (const file of readdirSync(import.meta.dirname).filter((name) => name.endsWith(".test.ts"))) {
    const text = readFileSync(join(import.meta.dirname, file), "utf8");
    for (const [, name] of text.matchAll(/\b(?:test|describe)(?:\.\w+(?:\([^\n]*?\))?)*\(\s*"([^"]+)"/g))
      for (const [id] of (name ?? "").matchAll(/\bL\d\d\b/g)) named.add(id);
  }
  expect([...named].sort()).toEqual(promised);
});
