import { existsSync, rmSync } from "node:fs";
import type Database from "better-sqlite3";
import { verifyBlock } from "../../../cloud-sync/contract/block/block.ts";
import { BlockError } from "../../../cloud-sync/contract/block/block-error.ts";
import type { StoredEvent } from "../../../cloud-sync/contract/event.ts";
import type { LedgerRange } from "../../../cloud-sync/contract/ledger.ts";
import { openLogReader } from "../reader.ts";
import { carveRecords } from "./carve.ts";
import type { StoredValue } from "./record-format.ts";
import { SlotHarvest } from "./slot-harvest.ts";

const BLOCK_MAGIC = Buffer.from("TSBK");
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const HASH_BYTES = 16;

/** What a damaged file still holds; its blocks are in the table temp.found. */
export interface Harvest {
  readonly slots: SlotHarvest;
  readonly kept: readonly StoredEvent[];
  /** Epochs by the offset at which each begins, as the old file's table had them. */
  readonly epochs: ReadonlyMap<number, string>;
  /** The newest seq that each machine's row gives: what was sealed once. */
  readonly lastSeqs: ReadonlyMap<string, number>;
  /** The old file's own ledger; empty when it can't be read. */
  readonly ledger: readonly LedgerRange[];
  readonly damagedBlocks: number;
  readonly pages: number;
  readonly damagedPages: number;
}

/** The old file's own ledger, where SQLite can still read it. */
export function ledgerOf(path: string): LedgerRange[] {
  const beside = [`${path}-wal`, `${path}-shm`].filter((each) => !existsSync(each));
  try {
    const log = openLogReader(path);
    try {
      return log.ledger();
    } finally {
      log.close();
    }
  } catch {
    // Then nobody knows why a number is missing, and it counts as lost.
    return [];
  } finally {
    for (const each of beside) rmSync(each, { force: true });
  }
}

/** Sorts what the pages hold; blocks go into a temporary table, for they may be more than memory takes. */
export function harvestOf(database: Database.Database, path: string, ledger: readonly LedgerRange[]): Harvest {
  database.exec(`CREATE TEMP TABLE found (
    machine_id TEXT, first_seq INTEGER, last_seq INTEGER, first_offset INTEGER, last_offset INTEGER, epoch TEXT, data BLOB,
    PRIMARY KEY (machine_id, first_seq))`);
  const insert = database.prepare("INSERT INTO temp.found VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING");
  const slots = new SlotHarvest();
  const kept = new Map<number, StoredEvent>();
  const epochs = new Map<number, string>();
  const lastSeqs = new Map<string, number>();
  const carving = carveRecords(path, { walPath: `${path}-wal` });
  let damagedBlocks = 0;
  for (const { values, rowid } of carving) {
    const [, epoch] = values;
    if (values.length === 3 && typeof epoch === "string" && UUID.test(epoch)) epochs.set(Number(rowid), epoch);
    const machine = machineRow(values);
    if (machine) lastSeqs.set(machine.id, Math.max(machine.lastSeq, lastSeqs.get(machine.id) ?? 0));
    const event = keptEvent(values, rowid);
    if (event) kept.set(event.offset, event);
    for (const value of values) {
      if (!Buffer.isBuffer(value) || slots.take(value) || !looksLikeBlock(value)) continue;
      try {
        const { machineId, firstSeq, lastSeq, firstOffset, lastOffset, epoch: epochOfBlock } = verifyBlock(value);
        insert.run(machineId, firstSeq, lastSeq, firstOffset, lastOffset, epochOfBlock, value);
      } catch (error) {
        if (!(error instanceof BlockError)) throw error;
        damagedBlocks++;
      }
    }
  }
  const { pages, badPages } = carving.report;
  const pageCounts = { pages, damagedPages: badPages };
  return { slots, kept: [...kept.values()], epochs, lastSeqs, ledger, damagedBlocks, ...pageCounts };
}

/** A row of the table machine: null, machine_id, last_seq, last_hash. */
function machineRow(values: readonly StoredValue[]): { readonly id: string; readonly lastSeq: number } | undefined {
  const [ref, id, lastSeq, hash] = values;
  const isOne = values.length === 4 && ref === null && typeof id === "string" && typeof lastSeq === "number";
  return isOne && Buffer.isBuffer(hash) && hash.length === HASH_BYTES && Number.isSafeInteger(lastSeq)
    ? { id, lastSeq }
    : undefined;
}

/** A row of the table event that holds the event as JSON, which must say what the row's other columns say. */
function keptEvent(values: readonly StoredValue[], rowid: number | bigint): StoredEvent | undefined {
  const [, , seq, type, timeMs, json] = values;
  if (values.length !== 6 || typeof json !== "string") return undefined;
  try {
    const event = JSON.parse(json) as StoredEvent;
    const isSame = event.seq === seq && event.type === type && event.timeMs === timeMs;
    return isSame && event.offset === Number(rowid) && typeof event.machineId === "string" ? event : undefined;
  } catch {
    return undefined;
  }
}

function looksLikeBlock(bytes: Buffer): boolean {
  return bytes.length > 64 && bytes.subarray(0, BLOCK_MAGIC.length).equals(BLOCK_MAGIC);
}
