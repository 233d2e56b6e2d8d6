import { blockHash, decodeBlock, verifyBlock } from "../../cloud-sync/contract/block/block.ts";
import { BlockError } from "../../cloud-sync/contract/block/block-error.ts";
import { type LedgerRange, ledgerFaults } from "../../cloud-sync/contract/ledger.ts";
import { messageOf } from "../kernel/errors.ts";
import { type LogParts, openLogReader, type SqliteLogReader } from "./reader.ts";
import { readRollup } from "./rollup/rollup.ts";

export interface VerifyReport {
  readonly path: string;
  readonly epoch: string;
  readonly machines: number;
  readonly blocks: number;
  /** Readings in whole blocks, all of them decoded. */
  readonly samples: number;
  /** How many events are in each state of the ledger. */
  readonly eventsByState: Readonly<Record<string, number>>;
  /** The ledger, neighbouring ranges of one state joined. */
  readonly ledger: readonly LedgerRange[];
  /** What is wrong, a sentence each; empty when nothing is. */
  readonly faults: readonly string[];
}

const FAULTS_MAX = 1_000;

interface BlockRow {
  readonly blockId: number;
  readonly machineId: string;
  readonly firstSeq: number;
  readonly lastSeq: number;
  readonly samples: number;
  readonly hash: Buffer;
  readonly previousHash: Buffer;
}

/**
 * Proves the log, or says what is wrong: SQLite's structure, each block's checksums, hash, place in the chain and content,
 * the tail, and that the ledger knows every seq exactly once. Others may go on writing.
 * @param progress called now and then with the share that is done
 * @throws EdgeError LOG_UNAVAILABLE, LOG_VERSION, LOG_CORRUPT
 */
export async function verifyLog(path: string, progress?: (share: number) => void): Promise<VerifyReport> {
  const log = openLogReader(path);
  try {
    const faults = structureFaults(log);
    const rows = log.examine(({ database }) =>
      database
        .prepare(`
          SELECT block_id AS blockId, machine_id AS machineId, first_seq AS firstSeq, block.last_seq AS lastSeq, samples, hash,
            previous_hash AS previousHash FROM block JOIN machine USING (machine_ref) WHERE state = 'whole' ORDER BY block_id`)
        .all(),
    ) as BlockRow[];
    let samples = 0;
    for (const [index, row] of rows.entries()) {
      const fault = log.examine((parts) => blockFault(parts, row));
      if (fault !== undefined) faults.push(fault);
      else samples += row.samples;
      if (index % 64 === 63) {
        progress?.(index / rows.length);
        await new Promise((resolve) => setImmediate(resolve));
      }
    }
    const lost = log.examine(({ tail }) => tail.chunks.filter(({ isLost }) => isLost).length);
    if (lost > 0) faults.push(`${lost} commits of the tail are damaged`);
    const ledger = log.ledger();
    faults.push(...ledgerFaults(ledger));
    const eventsByState: Record<string, number> = {};
    for (const { state, firstSeq, lastSeq } of ledger)
      eventsByState[state] = (eventsByState[state] ?? 0) + lastSeq - firstSeq + 1;
    return {
      path,
      epoch: log.epoch,
      machines: log.streams().length,
      blocks: rows.length,
      samples,
      eventsByState,
      ledger: joined(ledger),
      faults: faults.slice(0, FAULTS_MAX),
    };
  } finally {
    log.close();
  }
}

function structureFaults(log: SqliteLogReader): string[] {
  const rows = log.examine(({ database }) => database.pragma("integrity_check(100)")) as { integrity_check: string }[];
  return rows.map((row) => row.integrity_check).filter((text) => text !== "ok");
}

/** A block that was sealed, shed or removed since the list was made is no fault. */
function blockFault({ blocks, database }: LogParts, row: BlockRow): string | undefined {
  const name = `block ${row.blockId} (${row.machineId} ${row.firstSeq}–${row.lastSeq})`;
  const state = database.prepare("SELECT state FROM block WHERE block_id = ?").pluck().get(row.blockId);
  if (state !== "whole") return undefined;
  const bytes = blocks.bytesOf(row.blockId);
  if (!bytes) return `${name}: its bytes are missing`;
  try {
    const head = verifyBlock(bytes);
    if (!blockHash(bytes).equals(row.hash)) return `${name}: its hash is another than the ledger's`;
    if (!head.previousHash.equals(row.previousHash)) return `${name}: it names another predecessor than the ledger`;
    if (head.machineId !== row.machineId || head.firstSeq !== row.firstSeq || head.lastSeq !== row.lastSeq)
      return `${name}: it holds ${head.machineId} ${head.firstSeq}–${head.lastSeq}`;
    const events = decodeBlock(bytes).events();
    const samples = events.reduce((sum, { type, data }) => sum + (type === "telemetry" ? data.samples.length : 0), 0);
    if (samples !== row.samples) return `${name}: it holds ${samples} readings, ${row.samples} were sealed`;
  } catch (error) {
    if (!(error instanceof BlockError)) throw error;
    return `${name}: ${error.message}`;
  }
  const rollup = blocks.rollupOf(row.blockId);
  try {
    if (rollup) readRollup(rollup);
  } catch (error) {
    return `${name}: its one-minute aggregates can't be read (${messageOf(error)})`;
  }
  return undefined;
}

function joined(ledger: readonly LedgerRange[]): LedgerRange[] {
  const out: LedgerRange[] = [];
  for (const range of ledger) {
    const last = out.at(-1);
    const isNext =
      last !== undefined &&
      last.machineId === range.machineId &&
      last.epoch === range.epoch &&
      last.state === range.state &&
      last.lastSeq + 1 === range.firstSeq;
    if (!isNext) out.push({ ...range });
    else {
      out[out.length - 1] = {
        ...last,
        lastSeq: range.lastSeq,
        samples: last.samples + range.samples,
        fromMs: Math.min(last.fromMs, range.fromMs),
        toMs: Math.max(last.toMs, range.toMs),
        hash: range.hash,
      };
    }
  }
  return out;
}
