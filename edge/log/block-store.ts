import type Database from "better-sqlite3";
import { decodeBlock, verifyBlock } from "../../cloud-sync/contract/block/block.ts";
import { BlockError } from "../../cloud-sync/contract/block/block-error.ts";
import type { DecodedBlock } from "../../cloud-sync/contract/block/decoded-block.ts";
import type { EventType, StoredEvent } from "../../cloud-sync/contract/event.ts";
import type { StoredBlock } from "./event-log.ts";
import { readNames } from "./seal/signal-refs.ts";

export interface BlockMeta {
  readonly blockId: number;
  readonly groupNo: number;
  readonly machineRef: number;
  readonly firstSeq: number;
  readonly lastSeq: number;
  readonly firstOffset: number;
  readonly lastOffset: number;
  readonly fromMs: number;
  readonly toMs: number;
  readonly samples: number;
  readonly bytes: number;
  readonly state: "whole" | "thinned" | "corrupt";
}

export const META_COLUMNS = `block_id AS blockId, group_no AS groupNo, machine_ref AS machineRef, first_seq AS firstSeq,
  block.last_seq AS lastSeq, first_offset AS firstOffset, last_offset AS lastOffset, from_ms AS fromMs, to_ms AS toMs,
  samples, bytes, state`;

/**
 * Decoded blocks that are kept in memory, by their samples: as many as a group has, for who reads in the order of the
 * offset touches all of its blocks in turn. A decoded sample takes about 40 bytes, so they are let go when nobody reads on.
 */
const KEPT_SAMPLES_MAX = 2_300_000;
const KEPT_IDLE_MS = 5_000;
/** Blocks that one call hands over. */
const STORED_MAX = 256;

/** Reads of sealed blocks. A damaged block is passed over and remembered in `damaged`; the rest is served. */
export class BlockStore {
  readonly damaged = new Set<number>();
  readonly #database: Database.Database;
  readonly #statements = new Map<string, Database.Statement>();
  readonly #names = new Map<number, string[]>();
  readonly #decoded = new Map<number, DecodedBlock>();
  #decodedSamples = 0;
  #group: { groupNo: number; wholeIds: string; order: readonly GroupEntry[] } | undefined;
  #idle: NodeJS.Timeout | undefined;

  constructor(database: Database.Database) {
    this.#database = database;
  }

  /** Blocks were removed or changed, or nobody reads: nothing that was read of them is kept. */
  forget(): void {
    clearTimeout(this.#idle);
    this.#idle = undefined;
    this.#decoded.clear();
    this.#decodedSamples = 0;
    this.#group = undefined;
  }

  statement(sql: string): Database.Statement {
    let statement = this.#statements.get(sql);
    if (!statement) {
      statement = this.#database.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }

  machineRef(machineId: string): number | undefined {
    return this.statement("SELECT machine_ref FROM machine WHERE machine_id = ?").pluck().get(machineId) as
      | number
      | undefined;
  }

  bytesOf(blockId: number): Buffer | undefined {
    return (this.statement("SELECT data FROM block_data WHERE block_id = ?").pluck().get(blockId) ?? undefined) as
      | Buffer
      | undefined;
  }

  /** undefined when its bytes are damaged, or gone by now. */
  decoded(blockId: number): DecodedBlock | undefined {
    const known = this.#decoded.get(blockId);
    if (known) {
      this.#idle?.refresh();
      // The one used last goes last: the oldest is given up first.
      this.#decoded.delete(blockId);
      this.#decoded.set(blockId, known);
      return known;
    }
    const bytes = this.bytesOf(blockId);
    const block = bytes && this.guarded(blockId, () => decodeBlock(bytes));
    if (!block) return undefined;
    this.#decoded.set(blockId, block);
    this.#decodedSamples += block.head.samples;
    this.#idle ??= setTimeout(() => this.forget(), KEPT_IDLE_MS).unref();
    this.#idle.refresh();
    for (const [id, { head }] of this.#decoded) {
      if (this.#decodedSamples <= KEPT_SAMPLES_MAX || id === blockId) break;
      this.#decoded.delete(id);
      this.#decodedSamples -= head.samples;
    }
    return block;
  }

  /** What reading a block gives, or undefined when the block turns out to be damaged. */
  guarded<T>(blockId: number, read: () => T): T | undefined {
    try {
      return this.damaged.has(blockId) ? undefined : read();
    } catch (error) {
      if (!(error instanceof BlockError)) throw error;
      this.damaged.add(blockId);
      return undefined;
    }
  }

  /** Whole blocks of a stream that overlap first ≤ seq ≤ last, ascending. */
  ofStream(machineRef: number, first: number, last: number, limit: number): BlockMeta[] {
    return this.statement(`
      SELECT ${META_COLUMNS} FROM block
      WHERE machine_ref = ? AND first_seq >= coalesce(
          (SELECT max(first_seq) FROM block WHERE machine_ref = ? AND first_seq <= ?), 0)
        AND first_seq <= ? AND last_seq >= ? AND state = 'whole'
      ORDER BY first_seq LIMIT ?`).all(machineRef, machineRef, first, last, first, limit) as BlockMeta[];
  }

  /** Blocks of a stream, whatever is left of them, with an event of the time [fromMs, toMs), ascending by seq. */
  ofTime(machineRef: number, fromMs: number, toMs: number, afterSeq = 0): BlockMeta[] {
    return this.statement(`
      SELECT ${META_COLUMNS} FROM block
      WHERE machine_ref = ? AND to_ms >= ? AND from_ms < ? AND last_seq > ? ORDER BY first_seq`).all(
      machineRef,
      fromMs,
      toMs,
      afterSeq,
    ) as BlockMeta[];
  }

  /** Blocks as they are stored, in the order of their last offset. */
  storedAfter(offset: number, limitBytes: number): Omit<StoredBlock, "epoch">[] {
    const rows = this.statement(`
      SELECT ${META_COLUMNS}, machine_id AS machineId FROM block JOIN machine USING (machine_ref)
      WHERE last_offset > ? AND state <> 'corrupt' ORDER BY last_offset LIMIT ${STORED_MAX}`).all(
      offset,
    ) as (BlockMeta & {
      machineId: string;
    })[];
    const found: Omit<StoredBlock, "epoch">[] = [];
    let bytesTaken = 0;
    for (const { blockId, state, ...meta } of rows) {
      if (found.length > 0 && bytesTaken + meta.bytes > limitBytes) break;
      bytesTaken += meta.bytes;
      const bytes = this.bytesOf(blockId);
      const isWhole = bytes && this.guarded(blockId, () => verifyBlock(bytes)) !== undefined;
      if (!isWhole && state === "whole") continue;
      const rollup = isWhole ? undefined : this.rollupOf(blockId);
      const signalNames = rollup === undefined ? [] : readNames(this.#database, meta.machineRef);
      found.push({ ...meta, bytes: isWhole ? bytes : undefined, rollup, signalNames });
    }
    return found;
  }

  rollupOf(blockId: number): Buffer | undefined {
    return (this.statement("SELECT rollup FROM block_data WHERE block_id = ?").pluck().get(blockId) ?? undefined) as
      | Buffer
      | undefined;
  }

  /** A signal's number in the machine's roll-ups. */
  signalRef(machineRef: number, name: string): number | undefined {
    let names = this.#names.get(machineRef);
    if (!names?.includes(name)) {
      names = readNames(this.#database, machineRef);
      this.#names.set(machineRef, names);
    }
    const ref = names.indexOf(name);
    return ref < 0 ? undefined : ref;
  }

  lastSeq(machineRef: number): number {
    return this.statement("SELECT last_seq FROM machine WHERE machine_ref = ?").pluck().get(machineRef) as number;
  }

  /** The first seq of each stream that is still here in a whole block. */
  firstSeqs(): [string, number][] {
    return this.statement(`
      SELECT machine_id, (SELECT first_seq FROM block
        WHERE block.machine_ref = machine.machine_ref AND state = 'whole' ORDER BY first_seq LIMIT 1) AS first
      FROM machine WHERE first IS NOT NULL`)
      .raw()
      .all() as [string, number][];
  }

  /** The newest sealed telemetry event of a stream. */
  newestTelemetry(machineRef: number): StoredEvent | undefined {
    const ids = this.statement(`
      SELECT block_id FROM block WHERE machine_ref = ? AND state = 'whole'
        -- Telemetry without a reading is telemetry too.
        AND (samples > 0 OR block.last_seq - first_seq + 1 >
          (SELECT count(*) FROM event WHERE event.machine_ref = block.machine_ref
            AND offset BETWEEN first_offset AND last_offset))
      ORDER BY first_seq DESC LIMIT 64`)
      .pluck()
      .all(machineRef) as number[];
    for (const blockId of ids) {
      const block = this.decoded(blockId);
      const events = block && this.guarded(blockId, () => block.events());
      const newest = events?.findLast(({ type }) => type === "telemetry");
      if (newest) return newest;
    }
    return undefined;
  }

  /** Sealed events with offset > `offset`, ascending, out of one group of blocks; empty when no block has any. */
  groupAfter(offset: number, limitEvents: number, accept: (type: EventType) => boolean): StoredEvent[] | undefined {
    const next = this.statement(
      "SELECT group_no AS groupNo FROM block WHERE last_offset > ? ORDER BY last_offset LIMIT 1",
    ).get(offset) as { groupNo: number } | undefined;
    if (!next) return undefined;
    const wholeIds = this.#wholeOf(next.groupNo);
    // Another process may have thinned or dropped some meanwhile: what is kept of those is read elsewhere.
    if (this.#group?.groupNo !== next.groupNo || this.#group.wholeIds !== `${wholeIds}`)
      this.#group = { groupNo: next.groupNo, wholeIds: `${wholeIds}`, order: this.#order(wholeIds) };
    const { order } = this.#group;
    const found: StoredEvent[] = [];
    for (let i = firstPast(order, offset); i < order.length && found.length < limitEvents; i++) {
      const { blockId, index } = order[i] as GroupEntry;
      const block = this.decoded(blockId);
      const event = block && this.guarded(blockId, () => block.events(index, index + 1)[0]);
      if (event && accept(event.type)) found.push(event);
    }
    return found;
  }

  /** Last offset of the group that has the first event past `offset`. */
  groupEnd(offset: number): number {
    return this.statement(`
      SELECT max(last_offset) FROM block WHERE group_no =
        (SELECT group_no FROM block WHERE last_offset > ? ORDER BY last_offset LIMIT 1)`)
      .pluck()
      .get(offset) as number;
  }

  #wholeOf(groupNo: number): number[] {
    return this.statement("SELECT block_id FROM block WHERE group_no = ? AND state = 'whole'")
      .pluck()
      .all(groupNo) as number[];
  }

  #order(ids: readonly number[]): GroupEntry[] {
    const order: GroupEntry[] = [];
    for (const blockId of ids) {
      const block = this.decoded(blockId);
      const offsets = block && this.guarded(blockId, () => block.eventOffsets());
      for (const [index, offset] of offsets?.entries() ?? []) order.push({ offset, blockId, index });
    }
    return order.sort((a, b) => a.offset - b.offset);
  }
}

interface GroupEntry {
  readonly offset: number;
  readonly blockId: number;
  readonly index: number;
}

function firstPast(order: readonly GroupEntry[], offset: number): number {
  let low = 0;
  for (let high = order.length; low < high; ) {
    const middle = (low + high) >> 1;
    if ((order[middle] as GroupEntry).offset > offset) high = middle;
    else low = middle + 1;
  }
  return low;
}
