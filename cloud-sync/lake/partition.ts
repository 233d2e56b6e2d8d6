import { createHash } from "node:crypto";
import type { LakeKind } from "./columns.ts";

export const DAY_MS = 86_400_000;
/** What Hive calls the partition of nulls; DuckDB reads it as null. */
const NONE = "__HIVE_DEFAULT_PARTITION__";

/** A partition of the lake: of one kind, one factory, one UTC day (days since 1970; undefined: of no day, see BatchFiles). */
export interface LakePartition {
  readonly kind: LakeKind;
  readonly factoryId: string;
  readonly day: number | undefined;
}

/** `readings/factory=redmond/date=2026-06-01`. Percent-encoding leaves nothing of an id that a file system or a glob could take otherwise. */
export function folderOf({ kind, factoryId, day }: LakePartition): string {
  return `${kind}/factory=${factoryId === "" ? NONE : encoded(factoryId)}/date=${day === undefined ? NONE : dateOf(day)}`;
}

export function dayOf(timeMs: number): number {
  return Math.floor(timeMs / DAY_MS);
}

/** YYYY-MM-DD. */
export function dateOf(day: number): string {
  return new Date(day * DAY_MS).toISOString().slice(0, 10);
}

/** Days that have a date of four digits; others are of no day. */
export const DAY_MIN = dayOf(Date.UTC(1900, 0, 1));
export const DAY_MAX = dayOf(Date.UTC(9999, 11, 31));

const PLAIN = /[^A-Za-z0-9_-]/gu;

/** File systems take names of 255 bytes; a longer id is cut, and told from others by its hash. */
const ENCODED_MAX = 200;

function encoded(id: string): string {
  const text = id.replaceAll(PLAIN, (character) =>
    [...Buffer.from(character)].map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, "0")}`).join(""),
  );
  if (text.length <= ENCODED_MAX) return text;
  const hash = createHash("sha256").update(id).digest("hex").slice(0, 16);
  return `${text.slice(0, ENCODED_MAX - 20).replace(/%.?$/, "")}~${hash}`;
}
