import { isDeepStrictEqual } from "node:util";
import { blockHash, decodeBlock, verifyBlock } from "../../cloud-sync/contract/block/block.ts";
import { BlockError } from "../../cloud-sync/contract/block/block-error.ts";
import type { StoredEvent } from "../../cloud-sync/contract/event.ts";
import { type LedgerRange, ledgerFaults } from "../../cloud-sync/contract/ledger.ts";
import { readRollup } from "../../cloud-sync/contract/rollup/rollup.ts";
import { RollupBuilder } from "../../cloud-sync/contract/rollup/rollup-builder.ts";
import { messageOf } from "../kernel/errors.ts";
import { type LogParts, openLogReader, type SqliteLogReader } from "./reader.ts";
import { readNames } from "./seal/signal-refs.ts";
import { numberOf } from "./series.ts";

export interface VerifyReport {
  readonly path: string;
  /** "" when it can't be read. */
  readonly epoch: string;
  /** Streams: machines, and the box itself. */
  readonly machines: number;
  /** Blocks that are whole and proven. */
  readonly blocks: number;
  /** Readings in them, all of them decoded. */
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
  readonly machineRef: number;
  readonly machineId: string;
  readonly firstSeq: number;
  readonly lastSeq: number;
  readonly samples: number;
  readonly hash: Buffer;
  readonly previousHash: Buffer;
  readonly state: "whole" | "thinned";
}

/**
 * Proves the log, or says what is wrong: SQLite's structure, each block's checksums, hash, place in the chain and content,
 * its aggregates, the tail, and that the ledger knows every seq exactly once. What can't be read is a fault, too; the rest
 * is still looked at. Others may go on writing.
 * @param progress called now and then with the share that is done
 * @throws EdgeError LOG_UNAVAILABLE, LOG_VERSION, LOG_CORRUPT when the file can't even be opened
 */
export async function verifyLog(path: string, progress?: (share: number) => void): Promise<VerifyReport> {
  const log = openLogReader(path);
  const faults: string[] = [];
  /** What SQLite can't read is a fault; `instead` takes its place. */
  const attempt = <T>(what: string, instead: T, work: () => T): T => {
    try {
      return work();
    } catch (error) {
      if (!isCorrupt(error)) throw error;
      faults.push(`${what} can't be read: ${messageOf(error)}`);
      return instead;
    }
  };
  try {
    faults.push(...attempt("the file's structure", [], () => structureFaults(log)));
    const rows = attempt("the list of blocks", [], () => log.examine(({ database }) => blockRows(database)));
    let blocks = 0;
    let samples = 0;
    for (const [index, row] of rows.entries()) {
      const fault = attempt(nameOf(row), "unreadable", () => log.examine((parts) => blockFault(parts, row)));
      if (fault === undefined && row.state === "whole") {
        blocks++;
        samples += row.samples;
      } else if (fault !== undefined && fault !== "unreadable") faults.push(fault);
      if (index % 64 === 63) {
        progress?.(index / rows.length);
        await new Promise((resolve) => setImmediate(resolve));
      }
    }
    const { ledger, tailFaults, machines } = attempt("the ledger", NOTHING, () => log.examine(() => endOf(log)));
    faults.push(...tailFaults, ...ledgerFaults(ledger));
    const eventsByState: Record<string, number> = {};
    for (const { state, firstSeq, lastSeq } of ledger)
      eventsByState[state] = (eventsByState[state] ?? 0) + lastSeq - firstSeq + 1;
    return {
      path,
      epoch: log.epoch,
      machines,
      blocks,
      samples,
      eventsByState,
      ledger: joined(ledger),
      faults: faults.slice(0, FAULTS_MAX),
    };
  } finally {
    log.close();
  }
}

const NOTHING: ReturnType<typeof endOf> = { ledger: [], tailFaults: [], machines: 0 };

function isCorrupt(error: unknown): boolean {
  return error instanceof Error && "code" in error && /^(SQLITE_|LOG_)CORRUPT/.test(String(error.code));
}

function structureFaults(log: SqliteLogReader): string[] {
  const rows = log.examine(({ database }) => database.pragma("integrity_check(100)")) as { integrity_check: string }[];
  return rows.map((row) => row.integrity_check).filter((text) => text !== "ok");
}

function blockRows(database: LogParts["database"]): BlockRow[] {
  return database
    .prepare(`
      SELECT block_id AS blockId, machine_ref AS machineRef, machine_id AS machineId, first_seq AS firstSeq,
        block.last_seq AS lastSeq, samples, hash, previous_hash AS previousHash, state
      FROM block JOIN machine USING (machine_ref) WHERE state IN ('whole', 'thinned') ORDER BY block_id`)
    .all() as BlockRow[];
}

function nameOf({ blockId, machineId, firstSeq, lastSeq }: BlockRow): string {
  return `block ${blockId} (${machineId} ${firstSeq}–${lastSeq})`;
}

/** A block that was sealed, shed or removed since the list was made is no fault. */
function blockFault(parts: LogParts, row: BlockRow): string | undefined {
  const { blocks, database } = parts;
  const name = nameOf(row);
  const state = database.prepare("SELECT state FROM block WHERE block_id = ?").pluck().get(row.blockId);
  if (state !== row.state) return undefined;
  if (state === "thinned") return rollupFault(parts, row, undefined);
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
    return rollupFault(parts, row, events);
  } catch (error) {
    if (!(error instanceof BlockError)) throw error;
    return `${name}: ${error.message}`;
  }
}

/** @param events those of the block, where it is still whole: then its aggregates must be theirs */
function rollupFault({ blocks, database }: LogParts, row: BlockRow, events: readonly StoredEvent[] | undefined) {
  const stored = blocks.rollupOf(row.blockId);
  const name = nameOf(row);
  try {
    const aggregates = stored && readRollup(stored);
    if (events === undefined) return undefined;
    const refByName = new Map(readNames(database, row.machineRef).map((signal, ref) => [signal, ref]));
    const builder = new RollupBuilder();
    for (const event of events) {
      if (event.type !== "telemetry") continue;
      for (const { signal, value, statusCode, receivedTimestampMs } of event.data.samples)
        builder.add(refByName.get(signal) ?? -1, receivedTimestampMs, numberOf(value), statusCode);
    }
    const wanted = builder.finish();
    // A salvaged block has none.
    if (stored === undefined || isDeepStrictEqual(aggregates, wanted && readRollup(wanted))) return undefined;
    return `${name}: its one-minute aggregates are not those of its readings`;
  } catch (error) {
    if (isCorrupt(error)) throw error;
    return `${name}: its one-minute aggregates can't be read (${messageOf(error)})`;
  }
}

/** The ledger, and whether it reaches as far as numbers were given out. */
function endOf(log: SqliteLogReader) {
  const ledger = log.ledger();
  const streams = log.streams();
  const tailFaults: string[] = [];
  const ends = new Map<string, LedgerRange>();
  for (const range of ledger) ends.set(range.machineId, range);
  for (const { machineId, lastSeq } of streams) {
    const end = ends.get(machineId)?.lastSeq ?? 0;
    if (end < lastSeq) tailFaults.push(`${machineId} ${end + 1}–${lastSeq}: nobody knows`);
  }
  const lost = log.examine(({ tail }) => tail.chunks.filter(({ isLost }) => isLost).length);
  if (lost > 0) tailFaults.push(`${lost} ${lost === 1 ? "commit" : "commits"} of what is not sealed yet can't be read`);
  return { ledger, tailFaults, machines: streams.length };
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
