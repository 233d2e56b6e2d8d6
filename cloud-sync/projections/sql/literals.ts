/** An array as PostgreSQL reads it from text: rows of arrays go through unnest() as texts, which are cast there. */
export function numbersLiteral(values: ArrayLike<number>, isThere?: (index: number) => boolean): string {
  let text = "{";
  // Neighbours are often equal, times above all, and a number is dear to write.
  let [last, lastText] = [Number.NaN, "NaN"];
  for (let i = 0; i < values.length; i++) {
    if (i > 0) text += ",";
    if (isThere !== undefined && !isThere(i)) {
      text += "NULL";
      continue;
    }
    const value = values[i] as number;
    if (value !== last) [last, lastText] = [value, `${value}`];
    text += lastText;
  }
  return `${text}}`;
}

export function textsLiteral(values: readonly (string | null)[]): string {
  return `{${values.map((value) => (value === null ? "NULL" : quoted(value))).join(",")}}`;
}

function quoted(value: string): string {
  return `"${plainText(value).replaceAll(/["\\]/g, (character) => `\\${character}`)}"`;
}

/** PostgreSQL's text holds neither NUL nor half a surrogate pair. */
export function plainText(text: string): string {
  return text.toWellFormed().replaceAll("\0", "\ufffd");
}

/** JSON that jsonb takes; integers beyond 2^53 become the nearest number, what JSON does not have null. */
export function jsonLiteral(value: unknown): string {
  const text = JSON.stringify(value, (_, each: unknown) => {
    if (typeof each === "bigint") return Number(each);
    if (typeof each === "string") return plainText(each);
    return isPlainKeyed(each) ? each : renamed(each as Record<string, unknown>);
  });
  return text ?? "null";
}

function isPlainKeyed(value: unknown): boolean {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return true;
  for (const key in value) if (plainText(key) !== key) return false;
  return true;
}

function renamed(value: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [plainText(key), each]));
}

/** The years 1 to 9999: what PostgreSQL, ISO 8601 and every reader have in common. Times beyond become the nearest of these. */
const EARLIEST_MS = Date.parse("0001-01-01T00:00:00.000Z");
const LATEST_MS = Date.parse("9999-12-31T23:59:59.999Z");

/** @param ms UTC epoch ms, any number */
export function instant(ms: number): string {
  const bounded = Math.min(LATEST_MS, Math.max(EARLIEST_MS, ms));
  return new Date(Number.isNaN(bounded) ? 0 : bounded).toISOString();
}
