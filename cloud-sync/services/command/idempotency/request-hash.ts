import { createHash } from "node:crypto";

/** What a request asks for, whatever the order of its fields and the state that it names. */
export function requestHash(method: string, kind: string, id: string, body: unknown): string {
  return createHash("sha256")
    .update(JSON.stringify([method, kind, id, sorted(body)]))
    .digest("base64url");
}

/** Name of a key's documents: keys belong to who sends them. */
export function keyId(personId: string, key: string): string {
  return `key-${createHash("sha256").update(`${personId}\0${key}`).digest("hex")}`;
}

/** An id for what a keyed request makes: the same when it is repeated. */
export function idFromKey(kind: string, keyDocumentId: string): string {
  const hex = createHash("sha256").update(`${kind}\0${keyDocumentId}`).digest("hex");
  // UUID version 8: bits of our own.
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  return Object.entries(value)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, each]) => [name, sorted(each)]);
}
