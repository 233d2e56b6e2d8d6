import { createHash } from "node:crypto";
import { Refusal } from "./refusal.ts";

export interface PartitionKeyRange {
  readonly id: string;
  /** Hexadecimal; "" to "FF" is everything. */
  readonly minInclusive: string;
  readonly maxExclusive: string;
  readonly parents: readonly string[];
}

/** Where a key lies; as with version 2 keys the two highest bits are clear. Another hash than Azure's: nobody may rely on it. */
export function effectiveKeyOf(partitionKey: string): string {
  const hash = createHash("sha256").update(partitionKey).digest().subarray(0, 16);
  hash[0] = (hash[0] ?? 0) & 0x3f;
  return hash.toString("hex").toUpperCase();
}

/** The physical partitions of a container. */
export class Ranges {
  #ranges: PartitionKeyRange[];
  #nextId: number;

  constructor(count: number) {
    const bounds = Array.from({ length: count - 1 }, (_, index) => hex(((index + 1) * 0x4000) / count));
    this.#ranges = ["", ...bounds].map((minInclusive, index) => ({
      id: String(index),
      minInclusive,
      maxExclusive: bounds[index] ?? "FF",
      parents: [],
    }));
    this.#nextId = count;
  }

  all(): readonly PartitionKeyRange[] {
    return this.#ranges;
  }

  /** @throws Refusal 410 when it was split or merged away */
  byId(id: string): PartitionKeyRange {
    const range = this.#ranges.find((one) => one.id === id);
    if (range === undefined)
      throw new Refusal(410, "The requested resource is no longer available at the server.", 1002);
    return range;
  }

  /** As Cosmos DB does when a partition has become too large. */
  split(id: string): void {
    const range = this.byId(id);
    const min = Number.parseInt(range.minInclusive.slice(0, 4) || "0", 16);
    const max = range.maxExclusive === "FF" ? 0x4000 : Number.parseInt(range.maxExclusive.slice(0, 4), 16);
    const middle = hex((min + max) / 2);
    this.#replace(
      [range],
      [
        [range.minInclusive, middle],
        [middle, range.maxExclusive],
      ],
    );
  }

  /** As it does when an account's throughput was lowered. */
  merge(firstId: string, secondId: string): void {
    const [first, second] = [this.byId(firstId), this.byId(secondId)];
    if (first.maxExclusive !== second.minInclusive) throw new Error("only neighbours can be merged");
    this.#replace([first, second], [[first.minInclusive, second.maxExclusive]]);
  }

  #replace(old: readonly PartitionKeyRange[], bounds: readonly (readonly [string, string])[]): void {
    const made = bounds.map(([minInclusive, maxExclusive]) => ({
      id: String(this.#nextId++),
      minInclusive,
      maxExclusive,
      parents: old.map(({ id }) => id),
    }));
    this.#ranges = [...this.#ranges.filter((range) => !old.includes(range)), ...made].sort((a, b) =>
      a.minInclusive < b.minInclusive ? -1 : 1,
    );
  }
}

function hex(number: number): string {
  return Math.floor(number).toString(16).toUpperCase().padStart(4, "0");
}
