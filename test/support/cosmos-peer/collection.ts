import { randomUUID } from "node:crypto";
import { effectiveKeyOf, Ranges } from "./ranges.ts";
import { Refusal } from "./refusal.ts";

export const ITEM_BYTES_MAX = 2 * 1024 * 1024;
const ID_BYTES_MAX = 1_023;
const KEY_BYTES_MAX = 2_048;

export interface CollectionDefinition {
  readonly id: string;
  readonly partitionKey: { readonly paths: readonly string[]; readonly kind: string; readonly version?: number };
  readonly indexingPolicy?: {
    readonly includedPaths?: readonly { readonly path: string }[];
    readonly excludedPaths?: readonly { readonly path: string }[];
  };
  readonly defaultTtl?: number;
}

/** An item as its writer sent it. */
export type SentItem = Readonly<Record<string, unknown>> & { readonly id: string };

export interface KeptItem {
  readonly content: SentItem;
  readonly partitionKey: string;
  readonly effectiveKey: string;
  readonly bytes: number;
  readonly etag: string;
  /** The transaction that wrote it: the change feed's order. */
  readonly lsn: number;
  readonly writtenSeconds: number;
}

/** A container: items by partition key and id, the newest version of each. */
export class Collection {
  definition: CollectionDefinition;
  readonly rid = randomUUID().slice(0, 8);
  readonly ranges: Ranges;
  readonly #nowMs: () => number;
  readonly #partitions = new Map<string, Map<string, KeptItem>>();
  #lsn = 0;

  constructor(definition: CollectionDefinition, rangeCount: number, nowMs: () => number) {
    this.definition = definition;
    this.ranges = new Ranges(rangeCount);
    this.#nowMs = nowMs;
  }

  get(partitionKey: string, id: string): KeptItem | undefined {
    const item = this.#partitions.get(partitionKey)?.get(id);
    return item === undefined || this.#isExpired(item) ? undefined : item;
  }

  /** Of one logical partition, or of all. */
  items(partitionKey?: string): readonly KeptItem[] {
    const partitions =
      partitionKey === undefined ? [...this.#partitions.values()] : [this.#partitions.get(partitionKey) ?? new Map()];
    return partitions.flatMap((items) => [...items.values()]).filter((item) => !this.#isExpired(item));
  }

  nextLsn(): number {
    return ++this.#lsn;
  }

  get lsn(): number {
    return this.#lsn;
  }

  /** What an item would be once written. @throws Refusal 400, 413 */
  prepare(partitionKey: string, content: SentItem, lsn: number): KeptItem {
    const { id } = content;
    if (typeof id !== "string" || id === "" || Buffer.byteLength(id) > ID_BYTES_MAX || /[/\\?#]/.test(id))
      throw new Refusal(400, `The id ${JSON.stringify(id)} is not allowed.`);
    if (Buffer.byteLength(partitionKey) > KEY_BYTES_MAX) throw new Refusal(400, "The partition key is too long.");
    if (content[this.definition.partitionKey.paths[0]?.slice(1) ?? ""] !== partitionKey)
      throw new Refusal(
        400,
        "PartitionKey extracted from document doesn't match the one specified in the header.",
        1001,
      );
    const bytes = Buffer.byteLength(JSON.stringify(content));
    if (bytes > ITEM_BYTES_MAX) throw new Refusal(413, "The document size exceeds 2 MB.");
    return {
      content,
      partitionKey,
      effectiveKey: effectiveKeyOf(partitionKey),
      bytes,
      etag: `"${randomUUID()}"`,
      lsn,
      writtenSeconds: Math.floor(this.#nowMs() / 1000),
    };
  }

  put(item: KeptItem): void {
    const partition = this.#partitions.get(item.partitionKey) ?? new Map<string, KeptItem>();
    this.#partitions.set(item.partitionKey, partition);
    partition.set(item.content.id, item);
  }

  remove(partitionKey: string, id: string): void {
    this.#partitions.get(partitionKey)?.delete(id);
  }

  #isExpired({ content, writtenSeconds }: KeptItem): boolean {
    const { defaultTtl } = this.definition;
    if (defaultTtl === undefined) return false;
    const seconds = typeof content.ttl === "number" ? content.ttl : defaultTtl;
    return seconds !== -1 && this.#nowMs() / 1000 >= writtenSeconds + seconds;
  }
}

/** As it goes over the wire. */
export function wireOf({ content, etag, lsn, writtenSeconds }: KeptItem): Record<string, unknown> {
  return { ...content, _rid: "", _self: "", _etag: etag, _attachments: "attachments/", _ts: writtenSeconds, _lsn: lsn };
}
