import type { EventType, StoredEvent } from "../../cloud-sync/contract/event.ts";
import type { BlockStore } from "./block-store.ts";

/** Blocks whose events are kept in memory, once taken apart: who asks for one of them asks for the next one soon. */
const KEPT_BLOCKS_MAX = 16;

/** A sealed event that is not telemetry, as the index has it. */
interface RareRow {
  readonly offset: number;
  readonly machineRef: number;
  readonly seq: number;
  readonly kept: string | null;
}

/** Reads of sealed events that are not telemetry: by their index, out of their block or, where that is gone, as they were kept. */
export class RareStore {
  readonly #blocks: BlockStore;
  readonly #bySeq = new Map<number, ReadonlyMap<number, StoredEvent>>();

  constructor(blocks: BlockStore) {
    this.#blocks = blocks;
  }

  /** Blocks were removed or changed. */
  forget(): void {
    this.#bySeq.clear();
  }

  /** Sealed events of these types (never telemetry) with offset > `offset`. */
  rareAfter(offset: number, limitEvents: number, types: readonly EventType[]): StoredEvent[] {
    const statement = this.#blocks.statement(`
      SELECT offset, machine_ref AS machineRef, seq, kept FROM event
      WHERE offset > ? AND type IN (${types.map(() => "?").join(", ")}) ORDER BY offset LIMIT ?`);
    return this.#readable(limitEvents, (last, limit) => statement.all(last?.offset ?? offset, ...types, limit));
  }

  /** One machine's sealed events of these types (never telemetry) with first ≤ seq ≤ last, ascending or newest first. */
  rareOf(
    machineRef: number,
    range: { first: number; last: number; limitEvents: number; newestFirst?: boolean },
    types: readonly EventType[],
  ): StoredEvent[] {
    const { first, last, limitEvents, newestFirst = false } = range;
    const statement = this.#blocks.statement(`
      SELECT offset, machine_ref AS machineRef, seq, kept FROM event
      WHERE machine_ref = ? AND type IN (${types.map(() => "?").join(", ")}) AND seq BETWEEN ? AND ?
      ORDER BY seq ${newestFirst ? "DESC" : "ASC"} LIMIT ?`);
    return this.#readable(limitEvents, (before, limit) => {
      const from = before && !newestFirst ? before.seq + 1 : first;
      const to = before && newestFirst ? before.seq - 1 : last;
      return statement.all(machineRef, ...types, from, to, limit);
    });
  }

  /** As many as are wanted of those that can be read: one in a damaged block must not end the answer. */
  #readable(limitEvents: number, next: (last: RareRow | undefined, limit: number) => unknown[]): StoredEvent[] {
    const found: StoredEvent[] = [];
    for (let last: RareRow | undefined; found.length < limitEvents; ) {
      const limit = limitEvents - found.length;
      const rows = next(last, limit) as RareRow[];
      for (const row of rows) found.push(...(this.#rare(row) ?? []));
      last = rows.at(-1);
      if (rows.length < limit) break;
    }
    return found;
  }

  /** Events whose block is gone, with first ≤ seq ≤ last. */
  keptOf(machineRef: number, first: number, last: number, limitEvents: number): StoredEvent[] {
    const rows = this.#blocks
      .statement(`
      SELECT kept FROM event WHERE machine_ref = ? AND seq BETWEEN ? AND ? AND kept IS NOT NULL
      ORDER BY seq LIMIT ?`)
      .pluck()
      .all(machineRef, first, last, limitEvents) as string[];
    return rows.map((json) => JSON.parse(json) as StoredEvent);
  }

  /** Events whose block is gone, with from < offset ≤ to. */
  keptBetween(from: number, to: number): StoredEvent[] {
    const rows = this.#blocks
      .statement("SELECT kept FROM event WHERE offset > ? AND offset <= ? AND kept IS NOT NULL")
      .pluck()
      .all(from, to) as string[];
    return rows.map((json) => JSON.parse(json) as StoredEvent);
  }

  /** Events whose block is gone, of a time. */
  keptOfTime(machineRef: number, fromMs: number, toMs: number, afterSeq: number): StoredEvent[] {
    const rows = this.#blocks
      .statement(`
      SELECT kept FROM event
      WHERE machine_ref = ? AND seq > ? AND kept IS NOT NULL AND time_ms >= ? AND time_ms < ? ORDER BY seq`)
      .pluck()
      .all(machineRef, afterSeq, fromMs, toMs) as string[];
    return rows.map((json) => JSON.parse(json) as StoredEvent);
  }

  #rare(row: RareRow): [StoredEvent] | undefined {
    if (row.kept !== null) return [JSON.parse(row.kept) as StoredEvent];
    const blockId = this.#blocks
      .statement(`
        SELECT block_id FROM block WHERE machine_ref = ? AND first_seq <= ? AND state = 'whole'
        ORDER BY first_seq DESC LIMIT 1`)
      .pluck()
      .get(row.machineRef, row.seq) as number | undefined;
    const event = blockId === undefined ? undefined : this.#eventsOf(blockId)?.get(row.seq);
    return event && [event];
  }

  #eventsOf(blockId: number): ReadonlyMap<number, StoredEvent> | undefined {
    const known = this.#bySeq.get(blockId);
    if (known) return known;
    const block = this.#blocks.decoded(blockId);
    const events = block && this.#blocks.guarded(blockId, () => block.rareEvents());
    if (!events) return undefined;
    const bySeq = new Map(events.map((event) => [event.seq, event]));
    this.#bySeq.set(blockId, bySeq);
    const [oldest] = this.#bySeq.keys();
    if (this.#bySeq.size > KEPT_BLOCKS_MAX && oldest !== undefined) this.#bySeq.delete(oldest);
    return bySeq;
  }
}
