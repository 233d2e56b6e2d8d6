import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import { Refusal } from "./refusal.ts";

export interface PeerRequest {
  readonly method: string;
  readonly headers: IncomingHttpHeaders;
  /** Decoded, without what is empty: ["dbs", "d", "colls", "c", "docs", "x"]. */
  readonly segments: readonly string[];
  /** dbs, colls, docs, pkranges; "" of the account. */
  readonly resourceType: string;
  /** As it is signed: of a resource its own path, of a feed its parent's. */
  readonly resourceLink: string;
  readonly body: string;
  readonly json: unknown;
}

const BODY_BYTES_MAX = 8_000_000;

export async function readRequest(message: IncomingMessage): Promise<PeerRequest> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of message as AsyncIterable<Buffer>) {
    bytes += chunk.byteLength;
    if (bytes <= BODY_BYTES_MAX) chunks.push(chunk);
  }
  const body = Buffer.concat(chunks).toString("utf8");
  const [path = ""] = (message.url ?? "").split("?");
  const segments = path
    .split("/")
    .filter((segment) => segment !== "")
    .map(decodeURIComponent);
  const isFeed = segments.length % 2 === 1;
  return {
    method: message.method ?? "",
    headers: message.headers,
    segments,
    resourceType: segments.at(isFeed ? -1 : -2) ?? "",
    resourceLink: (isFeed ? segments.slice(0, -1) : segments).join("/"),
    body,
    get json(): unknown {
      try {
        return JSON.parse(body);
      } catch {
        throw new Refusal(400, "The request's body is no JSON.");
      }
    },
  };
}

/** @throws Refusal 400 when it is missing or no array of one text */
export function partitionKeyOfHeader({ headers }: PeerRequest): string {
  const header = headers["x-ms-documentdb-partitionkey"];
  if (typeof header !== "string") throw new Refusal(400, "PartitionKey value must be supplied for this operation.");
  const values: unknown = JSON.parse(header);
  const [value] = Array.isArray(values) && values.length === 1 ? (values as unknown[]) : [];
  if (typeof value !== "string") throw new Refusal(400, "Partition key provided is not one text.", 1001);
  return value;
}
