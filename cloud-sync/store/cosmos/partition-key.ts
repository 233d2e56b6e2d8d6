import { createHash } from "node:crypto";
import type { Partition } from "../event-store.ts";

/** The property of an item that Cosmos DB divides the containers by. */
export const PARTITION_KEY_PATH = "/pk";
/** Cosmos DB takes 2,048 (of version 2 keys). */
const KEY_BYTES_MAX = 2_000;
const HASHED = "sha256:";

/**
 * One text for stream and part, whatever they contain: the part's length comes first, so that no two partitions have the same. Too long ones
 * are hashed; then the item itself says which partition it is of.
 */
export function partitionKeyOf({ stream, part }: Partition): string {
  const key = `${part.length}:${part}${stream}`;
  if (Buffer.byteLength(key) <= KEY_BYTES_MAX) return key;
  return HASHED + createHash("sha256").update(key).digest("hex");
}

/** undefined when the key was hashed. */
export function partitionOfKey(key: string): Partition | undefined {
  const colon = key.indexOf(":");
  const length = Number(key.slice(0, colon));
  if (key.startsWith(HASHED) || !Number.isInteger(length)) return undefined;
  return { part: key.slice(colon + 1, colon + 1 + length), stream: key.slice(colon + 1 + length) };
}
