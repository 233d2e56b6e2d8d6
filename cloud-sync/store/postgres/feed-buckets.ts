import { EdgeError } from "../../../edge/kernel/errors.ts";
import type { Container } from "../event-store.ts";

/** Feed ranges of each container. A stream is always in the same one, so the numbers are fixed for ever. */
const BUCKETS: Readonly<Record<Container, number>> = { telemetry: 8, scored_telemetry: 4, metadata: 1 };
/** Keys of the advisory locks of a container's buckets begin here; no other program's locks have this class ("TLSB"). */
const FIRST_LOCK: Readonly<Record<Container, number>> = { telemetry: 0, scored_telemetry: 100, metadata: 200 };
export const BUCKET_LOCK_CLASS = 0x544c_5342;

/** The bucket of a stream: FNV-1a of its UTF-8 bytes. */
export function bucketOf(container: Container, stream: string): number {
  let hash = 0x811c_9dc5;
  for (const byte of Buffer.from(stream)) hash = Math.imul(hash ^ byte, 0x0100_0193);
  return (hash >>> 0) % BUCKETS[container];
}

export function rangesOf(container: Container): string[] {
  return Array.from({ length: BUCKETS[container] }, (_, bucket) => String(bucket));
}

/** @throws EdgeError STORE_REFUSED when the container has no such range */
export function bucketOfRange(container: Container, range: string): number {
  const bucket = rangesOf(container).indexOf(range);
  if (bucket < 0) throw new EdgeError("STORE_REFUSED", `the feed of ${container} has no range "${range}"`);
  return bucket;
}

export function lockOf(container: Container, bucket: number): number {
  return FIRST_LOCK[container] + bucket;
}

export function continuationOf(position: number): string {
  return `p${position}`;
}

/** @throws EdgeError STORE_REFUSED when it is none of ours */
export function positionOf(continuation: string | undefined): number {
  if (continuation === undefined) return 0;
  if (!/^p\d{1,16}$/.test(continuation))
    throw new EdgeError("STORE_REFUSED", `"${continuation.slice(0, 100)}" is no continuation of this store's feed`, {
      hint: "Rebuild the reader: its checkpoint was made by another store.",
    });
  return Number(continuation.slice(1));
}
