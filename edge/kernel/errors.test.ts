import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { EdgeError, ERROR_CODES } from "./errors.ts";

test("ERRORS.md describes every code, with the retry that the code has, and no other", () => {
  const text = readFileSync(join(import.meta.dirname, "ERRORS.md"), "utf8");
  const rows = [...text.matchAll(/^\| `([A-Z_]+)` \| (\w+) \| (.+) \| (.+) \|$/gm)];
  const described = rows.map(([, code, retry]) => `${code} ${retry}`).sort();
  const existing = ERROR_CODES.map((code) => `${code} ${new EdgeError(code, "").retry}`).sort();
  expect(described).toEqual(existing);
  for (const [, , , meaning, check] of rows) {
    expect(meaning?.length).toBeGreaterThan(20);
    expect(check?.length).toBeGreaterThan(20);
  }
});
