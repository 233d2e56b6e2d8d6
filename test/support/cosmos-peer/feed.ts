import { feedCharge } from "./charge.ts";
import { type Collection, wireOf } from "./collection.ts";
import { Refusal } from "./refusal.ts";
import type { PeerRequest } from "./request.ts";

const PAGE_BYTES_MAX = 4 * 1024 * 1024;

export interface FeedAnswer {
  /** 304 when there is nothing new. */
  readonly status: number;
  readonly items: readonly Record<string, unknown>[];
  readonly etag: string;
  readonly charge: number;
}

/** The latest-version change feed of one physical partition, or of a part of it. @throws Refusal 400, 410 */
export function readFeed(collection: Collection, { headers }: PeerRequest): FeedAnswer {
  if (headers["a-im"] !== "Incremental Feed" && headers["a-im"] !== "Incremental feed")
    throw new Refusal(400, `No feed: ${String(headers["a-im"])}`);
  const rangeId = headers["x-ms-documentdb-partitionkeyrangeid"];
  if (typeof rangeId !== "string") throw new Refusal(400, "The range of partition keys is missing.");
  const range = collection.ranges.byId(rangeId);
  const min = String(headers["x-ms-start-epk"] ?? range.minInclusive);
  const max = String(headers["x-ms-end-epk"] ?? range.maxExclusive);
  const seenLsn = Number(String(headers["if-none-match"] ?? '"0"').replaceAll('"', ""));
  const limit = Number(headers["x-ms-max-item-count"] ?? 100);
  const news = collection
    .items()
    .filter(({ effectiveKey, lsn }) => lsn > seenLsn && effectiveKey >= min && effectiveKey < max)
    .sort((a, b) => a.lsn - b.lsn);
  let bytes = 0;
  const page = [];
  for (const item of news) {
    const isCut = page.length >= limit || bytes + item.bytes > PAGE_BYTES_MAX;
    // A transaction comes whole: the token can't stand inside it.
    if (page.length > 0 && isCut && item.lsn !== page.at(-1)?.lsn) break;
    page.push(item);
    bytes += item.bytes;
  }
  const upTo = page.length < news.length ? page.at(-1)?.lsn : collection.lsn;
  return {
    status: page.length === 0 ? 304 : 200,
    items: page.map(wireOf),
    etag: `"${page.length === 0 ? seenLsn : upTo}"`,
    charge: feedCharge(bytes),
  };
}
