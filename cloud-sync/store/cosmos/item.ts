import type { JsonObject } from "../../contract/event.ts";
import type { NewDocument, Partition, StoredDocument } from "../event-store.ts";
import { documentIdOf, itemIdOf } from "./item-id.ts";
import { partitionKeyOf, partitionOfKey } from "./partition-key.ts";

/** A document as Cosmos DB keeps it. */
export interface Item {
  readonly id: string;
  readonly pk: string;
  /** Where pk is a hash. */
  readonly partition?: { readonly [name in keyof Partition]: string };
  readonly kind: string;
  readonly fields: JsonObject;
  /** Base64. */
  readonly body?: string;
  /** Kept for ever, whatever the container says. */
  readonly ttl?: -1;
  /** Bookkeeping, which the feed leaves out. */
  readonly feed?: false;
}

/** With what Cosmos DB itself adds. */
export interface StoredItem extends Item {
  readonly _etag: string;
  /** When it was written, UTC epoch seconds. */
  readonly _ts: number;
}

export function itemOf(partition: Partition, document: NewDocument): Item {
  const pk = partitionKeyOf(partition);
  return {
    id: itemIdOf(document.id),
    pk,
    ...(partitionOfKey(pk) === undefined ? { partition } : {}),
    kind: document.kind,
    fields: document.fields,
    ...(document.body === undefined ? {} : { body: base64(document.body) }),
    ...(document.ttl === "never" ? { ttl: -1 as const } : {}),
    ...(document.inFeed === false ? { feed: false as const } : {}),
  };
}

export function documentOf(item: StoredItem): StoredDocument {
  return {
    partition: item.partition ?? partitionOfKey(item.pk) ?? { stream: item.pk, part: "" },
    id: documentIdOf(item.id),
    kind: item.kind,
    fields: item.fields,
    ...(item.body === undefined ? {} : { body: Buffer.from(item.body, "base64") }),
    ...(item.ttl === -1 ? { ttl: "never" as const } : {}),
    ...(item.feed === false ? { inFeed: false as const } : {}),
    etag: item._etag,
    storedMs: item._ts * 1000,
  };
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64");
}
