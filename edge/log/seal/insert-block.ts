import type Database from "better-sqlite3";
import { blockHash, readBlockHead } from "../../../cloud-sync/contract/block/block.ts";
import type { EventType } from "../../../cloud-sync/contract/event.ts";

export interface RareEntry {
  readonly offset: number;
  readonly seq: number;
  readonly type: EventType;
  readonly timeMs: number;
}

/** What is written for one block, in the transaction that seals it. */
export interface SealedBlock {
  readonly bytes: Buffer;
  readonly rare: readonly RareEntry[];
  readonly rollup: Buffer | undefined;
  /** First and last time at which its readings were received, which their events' times need not enclose. */
  readonly receivedMs?: { readonly from: number; readonly to: number };
}

const statements = new WeakMap<Database.Database, Record<"block" | "data" | "event" | "machine", Database.Statement>>();

/** @returns the block's hash, which the stream's next block carries */
export function insertBlock(
  database: Database.Database,
  place: { readonly machineRef: number; readonly groupNo: number; readonly runMs: number },
  { bytes, rare, rollup, receivedMs }: SealedBlock,
): Buffer {
  const { machineRef, groupNo, runMs } = place;
  const statement = statementsOf(database);
  const head = readBlockHead(bytes);
  const hash = blockHash(bytes);
  const blockId = statement.block.run(
    groupNo,
    machineRef,
    head.firstSeq,
    head.lastSeq,
    head.firstOffset,
    head.lastOffset,
    Math.min(head.fromMs, receivedMs?.from ?? head.fromMs),
    Math.max(head.toMs, receivedMs?.to ?? head.toMs),
    head.samples,
    bytes.length,
    hash,
    head.previousHash,
    Math.floor(runMs),
  ).lastInsertRowid;
  statement.data.run(blockId, rollup ?? null, bytes);
  for (const { offset, seq, type, timeMs } of rare) statement.event.run(offset, machineRef, seq, type, timeMs);
  statement.machine.run(head.lastSeq, hash, machineRef);
  return hash;
}

function statementsOf(database: Database.Database) {
  let found = statements.get(database);
  if (!found) {
    found = {
      block: database.prepare(`
        INSERT INTO block (group_no, machine_ref, first_seq, last_seq, first_offset, last_offset, from_ms, to_ms, samples,
          bytes, hash, previous_hash, sealed_run_ms, state) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'whole')`),
      data: database.prepare("INSERT INTO block_data (block_id, rollup, data) VALUES (?, ?, ?)"),
      event: database.prepare("INSERT INTO event (offset, machine_ref, seq, type, time_ms) VALUES (?, ?, ?, ?, ?)"),
      machine: database.prepare("UPDATE machine SET last_seq = ?, last_hash = ? WHERE machine_ref = ?"),
    };
    statements.set(database, found);
  }
  return found;
}
