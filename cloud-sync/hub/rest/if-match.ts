import type { FastifyRequest } from "fastify";

/** The etag that a caller insists on, without its quotes; "*" for any, undefined when it says nothing. */
export function ifMatchOf({ headers }: FastifyRequest): string | undefined {
  const text = headers["if-match"];
  return text === undefined || text === "" ? undefined : text.replace(/^(?:W\/)?"(.*)"$/, "$1");
}

export function quoted(etag: string): string {
  return `"${etag}"`;
}
