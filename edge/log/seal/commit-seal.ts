import type Database from "better-sqlite3";
import { readBlockHead } from "../../../cloud-sync/contract/block/block.ts";
import type { Epochs } from "../epochs.ts";
import { enterGone } from "../keep/gone.ts";
import type { Tail } from "../tail/tail.ts";
import { insertBlock } from "./insert-block.ts";
import type { MachineWork } from "./seal-encoder.ts";
import { saveNames } from "./signal-refs.ts";

export interface SealPlace {
  readonly database: Database.Database;
  readonly tail: Tail;
  readonly epochs: Epochs;
  /** The log's running time, ms. */
  readonly runMs: number;
  /** Nothing more is expected soon: where no slot is in use any more, their space is given back. */
  readonly isLast: boolean;
}

/**
 * Writes all blocks of a seal and frees the slots of the chunks up to `closedChunk`; for a transaction that holds the write
 * lock, with the tail brought up to date.
 * @returns false when another process has sealed them meanwhile: then nothing was written
 */
export function commitSeal(place: SealPlace, closedChunk: number, works: readonly MachineWork[]): boolean {
  const { database, tail, runMs, isLast } = place;
  if (tail.closedChunk !== closedChunk || tail.sealedChunk >= closedChunk) return false;
  const last = tail.chunks.findLast(({ number }) => number <= closedChunk);
  if (!last) return false;
  checkWhole(tail, closedChunk, works);
  const groupNo = (database.prepare("SELECT coalesce(max(group_no), 0) + 1 FROM block").pluck().get() as number) || 1;
  const find = database.prepare("SELECT machine_ref AS ref, last_seq AS lastSeq FROM machine WHERE machine_id = ?");
  const insert = database.prepare("INSERT INTO machine (machine_id, last_seq, last_hash) VALUES (?, 0, zeroblob(16))");
  for (const { machineId, blocks, names } of works) {
    const known = find.get(machineId) as { ref: number; lastSeq: number } | undefined;
    const machineRef = known?.ref ?? Number(insert.run(machineId).lastInsertRowid);
    let lastSeq = known?.lastSeq ?? 0;
    for (const block of blocks) {
      const { firstSeq, lastSeq: blockEnd, firstOffset } = readBlockHead(block.bytes);
      if (firstSeq > lastSeq + 1)
        enterLost(place, { machineRef, firstSeq: lastSeq + 1, lastSeq: firstSeq - 1, firstOffset });
      insertBlock(database, { machineRef, groupNo, runMs }, block);
      lastSeq = blockEnd;
    }
    if (names) saveNames(database, machineRef, names);
  }
  const isEmpty = isLast && tail.lastChunk === last.number;
  const sealedSlot = isEmpty ? -1 : tail.slotOf(last.number);
  database
    .prepare("UPDATE mark SET sealed_chunk = ?, sealed_offset = ?, sealed_slot = ?, run_ms = ?")
    .run(last.number, Math.max(last.lastOffset, 0), sealedSlot, Math.floor(runMs));
  if (isEmpty) tail.trimAll();
  else tail.trim(sealedSlot, tail.chunks.length);
  return true;
}

/** What is sealed frees its slots: before that, every event of theirs must be in a block. */
function checkWhole(tail: Tail, closedChunk: number, works: readonly MachineWork[]): void {
  let fresh = 0;
  for (const { number, sections } of tail.chunks)
    if (number <= closedChunk) for (const { events } of sections) fresh += events;
  let sealed = 0;
  for (const { blocks } of works) for (const { bytes } of blocks) sealed += readBlockHead(bytes).events;
  if (fresh !== sealed) throw new RangeError(`${fresh} events were to be sealed, ${sealed} are in the blocks`);
}

/** Seqs of commits that were damaged before they could be sealed: the ledger knows them as such. */
function enterLost(
  { database, epochs }: SealPlace,
  range: { machineRef: number; firstSeq: number; lastSeq: number; firstOffset: number },
): void {
  const none = { samples: 0, fromMs: 0, toMs: 0, previousHash: Buffer.alloc(16), lastHash: Buffer.alloc(16) };
  enterGone(database, { ...range, ...none, cause: "corrupt" }, (a, b) => epochs.of(a) === epochs.of(b));
}
