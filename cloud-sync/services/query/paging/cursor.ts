import { createHash } from "node:crypto";
import { invalid } from "../refusals.ts";

/**
 * Where a page ended: the sort keys of its last row, and a mark of the question, so that a cursor is not taken for another one's.
 * Opaque to those who use it; what somebody makes up is only ever a parameter.
 */
export function encodeCursor(question: unknown, keys: readonly string[]): string {
  return Buffer.from(JSON.stringify([markOf(question), ...keys])).toString("base64url");
}

/** @throws Failure 400 when it is damaged or belongs to another question */
export function decodeCursor(question: unknown, cursor: string, keys: number): string[] {
  let parts: unknown;
  try {
    parts = JSON.parse(Buffer.from(cursor, "base64url").toString("utf8"));
  } catch {
    parts = undefined;
  }
  if (!Array.isArray(parts) || !parts.every((part) => typeof part === "string"))
    throw invalid("the cursor is damaged", "Begin again without a cursor.");
  const [mark, ...rest] = parts as string[];
  if (mark !== markOf(question) || rest.length !== keys)
    throw invalid("the cursor belongs to another question", "Keep all other parameters from page to page.");
  return rest;
}

function markOf(question: unknown): string {
  return createHash("sha256").update(JSON.stringify(question)).digest("base64url").slice(0, 8);
}
