import type { JsonObject } from "../../contract/event.ts";
import type { Container, StoredDocument } from "../event-store.ts";

/** Columns of a document as every reading statement gives them. */
export const COLUMNS = "stream, part, id, kind, position, stored_ms, in_feed, never, fields, body";

export interface StoredRow {
  readonly stream: string;
  readonly part: string;
  readonly id: string;
  readonly kind: string;
  readonly position: number;
  readonly stored_ms: number;
  readonly in_feed: boolean;
  /** Whether it stands in the table of what is kept for ever. */
  readonly never: boolean;
  readonly fields: string;
  readonly body: Buffer | null;
}

export function documentOf(container: Container, row: StoredRow): StoredDocument {
  return {
    partition: { stream: row.stream, part: row.part },
    id: row.id,
    kind: row.kind,
    fields: JSON.parse(row.fields) as JsonObject,
    etag: String(row.position),
    storedMs: row.stored_ms,
    ...(row.body === null ? {} : { body: row.body }),
    ...(row.never && container !== "metadata" ? { ttl: "never" } : {}),
    ...(row.in_feed ? {} : { inFeed: false }),
  };
}
