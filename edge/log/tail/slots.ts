import { crc32 } from "node:zlib";
import type Database from "better-sqlite3";

/**
 * The ring of slots that holds what is not sealed yet. A slot is one row of one size that fills exactly one page of the
 * file, and is overwritten in place: a commit therefore writes its own bytes rounded up to pages, and no index, free
 * list or parent page with them (flash wear). A chunk, which is what one commit appended, takes one slot or several.
 *
 *   slot = "TSL1", CRC-32 u32 of what follows, chunk u48, part u16, parts u16, bytes u16, body, zeros
 *
 * Chunks are numbered without holes. The next part goes into the slot after the last one, from the end round to the
 * first; where that slot is still in use, the ring grows by GROWTH slots at its end and goes on there. A reader that
 * knows the last slot and the size therefore finds the next one by looking into two or three places; after a seal,
 * which frees slots, it looks at all of them.
 */
export const SLOT_BYTES = 4_056;
const HEAD_BYTES = 20;
export const SLOT_BODY_BYTES = SLOT_BYTES - HEAD_BYTES;
/** "TSL1" */
export const SLOT_MAGIC = 0x314c5354;
/** Slots that are added at once: the pages that a growing table touches are then touched once for all of them. */
export const GROWTH = 64;
const UNUSED = Buffer.alloc(SLOT_BYTES);
/** A chunk has at most this many parts: 128 MB. */
const PARTS_MAX = 32_000;

export interface SlotHead {
  readonly chunk: number;
  readonly part: number;
  readonly parts: number;
  readonly bytes: number;
}

/** @throws RangeError when the chunk is too large */
export function toSlots(chunk: number, body: Uint8Array): Buffer[] {
  const parts = Math.max(1, Math.ceil(body.length / SLOT_BODY_BYTES));
  if (parts > PARTS_MAX) throw new RangeError(`a commit of ${body.length} bytes is too large`);
  return Array.from({ length: parts }, (_, part) => {
    const slot = Buffer.alloc(SLOT_BYTES);
    const piece = body.subarray(part * SLOT_BODY_BYTES, (part + 1) * SLOT_BODY_BYTES);
    slot.writeUInt32LE(SLOT_MAGIC, 0);
    slot.writeUIntLE(chunk, 8, 6);
    slot.writeUInt16LE(part, 14);
    slot.writeUInt16LE(parts, 16);
    slot.writeUInt16LE(piece.length, 18);
    slot.set(piece, HEAD_BYTES);
    slot.writeUInt32LE(crc32(slot.subarray(8)), 4);
    return slot;
  });
}

/** The head of a slot, whole or only its first bytes; undefined when it is none. The checksum is not looked at. */
export function slotHead(data: Uint8Array): SlotHead | undefined {
  if (data.length < HEAD_BYTES) return undefined;
  const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  if (bytes.readUInt32LE(0) !== SLOT_MAGIC) return undefined;
  return {
    chunk: bytes.readUIntLE(8, 6),
    part: bytes.readUInt16LE(14),
    parts: bytes.readUInt16LE(16),
    bytes: bytes.readUInt16LE(18),
  };
}

/** Whether the ring grew by this slot and nothing has been written into it yet. */
export function isUnused(data: Uint8Array): boolean {
  return UNUSED.equals(data);
}

/** What the slot carries of its chunk; undefined when it is damaged. */
export function slotBody(data: Uint8Array): Uint8Array | undefined {
  const head = slotHead(data);
  if (!head || data.length !== SLOT_BYTES || head.bytes > SLOT_BODY_BYTES) return undefined;
  const stored = Buffer.from(data.buffer, data.byteOffset, data.byteLength).readUInt32LE(4);
  return crc32(data.subarray(8)) === stored ? data.subarray(HEAD_BYTES, HEAD_BYTES + head.bytes) : undefined;
}

/** Reads and writes of the table; knows nothing of what chunks mean. */
export class SlotTable {
  readonly #read: Database.Statement;
  readonly #heads: Database.Statement;
  readonly #insert: Database.Statement | undefined;
  readonly #update: Database.Statement | undefined;
  readonly #count: Database.Statement | undefined;
  readonly #trim: Database.Statement | undefined;

  constructor(database: Database.Database) {
    this.#read = database.prepare("SELECT data FROM tail WHERE slot = ?").pluck();
    this.#heads = database.prepare(`SELECT slot, substr(data, 1, ${HEAD_BYTES}) FROM tail ORDER BY slot`).raw();
    if (database.readonly) return;
    this.#insert = database.prepare(`INSERT INTO tail (slot, data) VALUES (?, zeroblob(${SLOT_BYTES}))`);
    this.#count = database.prepare("UPDATE mark SET slots = ?");
    this.#update = database.prepare("UPDATE tail SET data = ? WHERE slot = ?");
    this.#trim = database.prepare("DELETE FROM tail WHERE slot >= ?");
  }

  read(slot: number): Uint8Array | undefined {
    const data = this.#read.get(slot);
    return data instanceof Uint8Array ? data : undefined;
  }

  /** Heads of all slots; undefined for one whose head is damaged, or that is no blob any more. */
  heads(): [slot: number, head: SlotHead | undefined][] {
    return (this.#heads.all() as [number, unknown][]).map(([slot, data]) => [
      slot,
      data instanceof Uint8Array ? slotHead(data) : undefined,
    ]);
  }

  write(slot: number, data: Buffer): void {
    this.#update?.run(data, slot);
  }

  /** Adds GROWTH slots behind `count`. */
  grow(count: number): void {
    for (let slot = count; slot < count + GROWTH; slot++) this.#insert?.run(slot);
    this.#count?.run(count + GROWTH);
  }

  /** Removes the slots from `count` on. */
  trim(count: number): void {
    this.#trim?.run(count);
    this.#count?.run(count);
  }
}
