import type { LogReader, StoredBlock } from "../../edge/log/event-log.ts";
import { decodeBlock } from "../contract/block/block.ts";
import { BlockBuilder, encodeBlock } from "../contract/block/block-builder.ts";
import { BlockError } from "../contract/block/block-error.ts";
import { EVENT_TYPES, type EventType, type StoredEvent } from "../contract/event.ts";
import { type Arrival, RefusalError } from "../ingest/arrival.ts";
import { checkBlock, checkEvent, checkRollup } from "../ingest/plausible.ts";
import type { Origin } from "../store/write-telemetry.ts";
import { beginningOf, type LogPosition } from "./log-cursor.ts";

/** What comes next of a log, and where its reader stands once it is stored. */
export interface LogBatch {
  readonly arrivals: readonly Arrival[];
  readonly behind: LogPosition;
  /** Nothing more was there. */
  readonly isLast: boolean;
  /** What can't be stored, ever, and why. */
  readonly refusals: readonly string[];
  /** When the newest of its events happened, UTC epoch ms; undefined without events. */
  readonly newestMs: number | undefined;
}

const BLOCKS_BYTES = 4 * 2 ** 20;
const RARE_EVENTS = 2_000;
const RARE_TYPES: readonly EventType[] = EVENT_TYPES.filter((type) => type !== "telemetry");
/** Readings of one batch out of the tail, about: an event has one or ten thousand. */
const TAIL_SAMPLES = 100_000;
const TAIL_EVENTS_MIN = 16;
const TAIL_EVENTS_MAX = 5_000;
/** A block of which so much is new is stored as it is: which of its events count is written beside it. */
const WHOLE_SHARE = 0.5;
const NO_HASH = new Uint8Array(16);

/**
 * Reads a log for a mirror. What is sealed goes as it is stored; of the tail, which is what came since the last look, each machine's
 * events become a block. Where a backlog begins, what is not telemetry goes ahead of it: it is few, it is what people ask about first,
 * and of blocks that had to make room it is all that is left.
 */
export class LogBatches {
  readonly #log: LogReader;
  readonly #originOf: (machineId: string) => Origin;
  #tailEvents = TAIL_EVENTS_MIN;

  constructor(log: LogReader, originOf: (machineId: string) => Origin) {
    this.#log = log;
    this.#originOf = originOf;
  }

  /** @throws EdgeError of the log */
  next(from: LogPosition | undefined): LogBatch {
    const { epoch } = this.#log;
    const head = this.#log.head();
    // Another log, or one that has lost numbers: what is stored of it already is known by its identity.
    const at = from?.epoch === epoch && from.whole <= head ? from : beginningOf(epoch);
    const blocks = this.#log.readBlocks(at.blocks, { limitBytes: BLOCKS_BYTES });
    if (blocks.length === 0) return this.#tail({ ...at, whole: at.blocks });
    const rare = this.#rare(at, head, blocks.at(-1)?.lastOffset ?? 0);
    if (rare !== undefined && rare.arrivals.length + rare.refusals.length > 0) return rare;
    return this.#blocks(rare?.behind ?? at, blocks);
  }

  #tail(at: LogPosition): LogBatch {
    const limitEvents = this.#tailEvents;
    const events = this.#log.readAfter(at.whole, { limitEvents });
    const last = events.at(-1)?.offset ?? at.whole;
    const samples = events.reduce((sum, { type, data }) => sum + (type === "telemetry" ? data.samples.length : 1), 0);
    if (events.length > 0) {
      const fitting = Math.floor((TAIL_SAMPLES * events.length) / samples);
      this.#tailEvents = Math.min(TAIL_EVENTS_MAX, Math.max(TAIL_EVENTS_MIN, fitting));
    }
    const gathered = new Gathered(this.#originOf);
    for (const run of runsOf(events)) gathered.run(run);
    const behind = { epoch: at.epoch, whole: last, blocks: last, rare: last };
    return gathered.batch(behind, events.length < limitEvents);
  }

  /** Up to the head of the log; undefined when they are ahead of the blocks already. */
  #rare(at: LogPosition, head: number, endOfBlocks: number): LogBatch | undefined {
    const after = Math.max(at.rare, at.whole);
    if (after >= endOfBlocks) return undefined;
    const events = this.#log.readAfter(after, { limitEvents: RARE_EVENTS, types: RARE_TYPES });
    const last = events.length < RARE_EVENTS ? head : (events.at(-1)?.offset ?? head);
    const gathered = new Gathered(this.#originOf);
    const streams = Map.groupBy(events, ({ epoch, machineId }) => JSON.stringify([epoch, machineId]));
    for (const stream of streams.values()) gathered.single(stream);
    return gathered.batch({ ...at, rare: last }, false);
  }

  #blocks(at: LogPosition, blocks: readonly StoredBlock[]): LogBatch {
    const gathered = new Gathered(this.#originOf);
    for (const block of blocks) {
      if (block.lastOffset <= at.whole) continue;
      if (block.bytes === undefined) gathered.rollup(block);
      else gathered.stored(block.bytes, block.firstOffset > at.whole ? undefined : at.whole);
    }
    const last = blocks.at(-1)?.lastOffset ?? at.blocks;
    return gathered.batch({ ...at, blocks: last }, false);
  }
}

/** Events of any machines in the order of offsets, as runs of one epoch and machine without holes. */
function runsOf(events: readonly StoredEvent[]): StoredEvent[][] {
  const runs: StoredEvent[][] = [];
  const open = new Map<string, StoredEvent[]>();
  for (const event of events) {
    const run = open.get(event.machineId);
    const last = run?.at(-1);
    if (run !== undefined && last?.epoch === event.epoch && last.seq + 1 === event.seq) run.push(event);
    else {
      const next = [event];
      open.set(event.machineId, next);
      runs.push(next);
    }
  }
  return runs;
}

/** Arrivals as ingest has them, and what can't be one. */
class Gathered {
  readonly #originOf: (machineId: string) => Origin;
  readonly #arrivals: Arrival[] = [];
  readonly #refusals: string[] = [];
  #newestMs: number | undefined;

  constructor(originOf: (machineId: string) => Origin) {
    this.#originOf = originOf;
  }

  /** A run out of the tail; as several blocks where one does not hold it. */
  run(events: readonly StoredEvent[]): void {
    try {
      this.#block(encodeBlock(events, NO_HASH));
    } catch (error) {
      if (!(error instanceof BlockError && error.code === "limit" && events.length > 1)) this.#refused(error);
      else {
        const middle = events.length >> 1;
        this.run(events.slice(0, middle));
        this.run(events.slice(middle));
      }
    }
  }

  /** @param afterOffset of a block of which a part is stored already: only what is behind it is new */
  stored(bytes: Uint8Array, afterOffset: number | undefined): void {
    this.#guarded(() => {
      if (afterOffset === undefined) return this.#block(bytes);
      const block = decodeBlock(bytes);
      const { epoch, machineId, events } = block.head;
      const first = block.eventOffsets().findIndex((offset) => offset > afterOffset);
      if (first < 0) return;
      if (events - first >= events * WHOLE_SHARE) return this.#block(bytes);
      const builder = new BlockBuilder({ epoch, machineId });
      block.copyTo(builder, first, events);
      this.#block(builder.finish(NO_HASH));
    });
  }

  rollup({ bytes: _, signalNames: names, rollup: aggregates, ...range }: StoredBlock): void {
    this.#guarded(() => {
      const rollup = { ...range, names, aggregates };
      checkRollup(rollup);
      this.#arrivals.push({
        kind: "rollup",
        message: this.#arrivals.length,
        origin: this.#originOf(range.machineId),
        rollup,
      });
    });
  }

  /** Events of one stream, seq ascending. */
  single(events: readonly StoredEvent[]): void {
    const good = events.filter((event) => {
      const { enqueuedMs } = this.#originOf(event.machineId);
      return this.#guarded(() => checkEvent(event, enqueuedMs));
    });
    const [first] = good;
    if (first === undefined) return;
    const origin = this.#originOf(first.machineId);
    this.#arrivals.push({ kind: "events", message: this.#arrivals.length, origin, events: good });
    for (const { timeMs } of good) this.#saw(timeMs);
  }

  batch(behind: LogPosition, isLast: boolean): LogBatch {
    return { arrivals: this.#arrivals, behind, isLast, refusals: this.#refusals, newestMs: this.#newestMs };
  }

  #block(bytes: Uint8Array): void {
    const block = decodeBlock(bytes);
    const origin = this.#originOf(block.head.machineId);
    checkBlock(block, origin.enqueuedMs);
    this.#arrivals.push({ kind: "run", message: this.#arrivals.length, origin, block, bytes });
    this.#saw(block.head.toMs);
  }

  #guarded(work: () => void): boolean {
    try {
      work();
      return true;
    } catch (error) {
      this.#refused(error);
      return false;
    }
  }

  #refused(error: unknown): void {
    if (!(error instanceof RefusalError || error instanceof BlockError)) throw error;
    this.#refusals.push(error.message);
  }

  #saw(timeMs: number): void {
    this.#newestMs = Math.max(this.#newestMs ?? timeMs, timeMs);
  }
}
