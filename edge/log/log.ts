import { verifyBlock } from "../../cloud-sync/contract/block/block.ts";
import type { NewEvent } from "../../cloud-sync/contract/event.ts";
import { type ClockJump, ClockWatch, jumpAtStart } from "./clock-watch.ts";
import { asLogError } from "./database.ts";
import type { EventLog } from "./event-log.ts";
import { Bounds, type BoundsOptions } from "./keep/bounds.ts";
import { Shedder } from "./keep/shed.ts";
import { commitSeal } from "./seal/commit-seal.ts";
import { encodeAside } from "./seal/encode-aside.ts";
import { type MachineWork, SealEncoder } from "./seal/seal-encoder.ts";
import type { TailChunk } from "./tail/tail.ts";
import { SqliteLogWriter, type WriterOptions } from "./writer.ts";

/** What waits to be sealed, at most: by then a block is large enough to be small on disk. */
const SEAL_SAMPLES = 2_000_000;
const SEAL_BYTES = 16 * 1024 * 1024;
/** Free pages given back to the disk in one step, and how many may stay: the next blocks take them. */
const VACUUM_PAGES = 512;
const FREE_PAGES_MAX = 2_048;
/** Blocks whose checksums are looked at in one round, so that a damaged one is found before somebody needs it. */
const SCRUB_BLOCKS = 4;
/** Jumps of the clock that wait for a disk that refuses. */
const JUMPS_MAX = 64;

export interface LogOptions extends WriterOptions, BoundsOptions {
  /** Fresh events are sealed into blocks when they are this old, or earlier when they are many. Default 5 min. */
  readonly sealIntervalMs?: number;
  /** The stream of the log's own events: clock jumps, alarms about the file. Default "box/edge". */
  readonly ownStream?: string;
}

/** The whole log: what producers append, kept within its bounds. Invariants: SPEC.md. */
export class SqliteLog extends SqliteLogWriter implements EventLog {
  readonly ownStream: string;
  readonly #sealIntervalMs: number;
  readonly #bounds: Bounds;
  readonly #clockWatch: ClockWatch;
  #sealing: { readonly encoder: SealEncoder; readonly works: MachineWork[] } | undefined;
  #scrubbed = 0;
  #isExpiryDue = true;
  #jumps: ClockJump[] = [];

  constructor(options: LogOptions) {
    super(options);
    this.ownStream = options.ownStream ?? "box/edge";
    this.#sealIntervalMs = options.sealIntervalMs ?? 300_000;
    this.#bounds = new Bounds(options);
    this.#clockWatch = new ClockWatch(options.clock);
    const newest = this.read(() => this.tail.chunks.findLast(({ isLost }) => !isLost));
    const jump = newest && jumpAtStart(options.clock, newest.appendedMs);
    if (jump) this.#jumps.push(jump);
    this.database.pragma(`wal_autocheckpoint = ${this.#bounds.checkpointPages}`);
    this.database.pragma(`journal_size_limit = ${this.#bounds.checkpointPages * 4_096}`);
  }

  /** Whether so much waits, or for so long, that it should be sealed. */
  isSealDue(): boolean {
    return this.read(() => {
      const { chunks } = this.tail;
      const first = chunks[0];
      if (!first || this.#sealing) return this.#sealing !== undefined;
      if (this.tail.closedChunk > this.tail.sealedChunk) return true;
      // A clock that jumped makes a block early, and never a difference.
      if (Math.abs(this.clock.nowMs() - first.appendedMs) >= this.#sealIntervalMs) return true;
      let samples = 0;
      let bytes = 0;
      for (const chunk of chunks) {
        samples += chunk.samples;
        bytes += chunk.raw.length;
      }
      return samples >= SEAL_SAMPLES || bytes >= SEAL_BYTES;
    });
  }

  /**
   * Does a bounded part of sealing, the whole of what waits when called often enough; appends may come between.
   * @returns true while there is more to do
   * @throws EdgeError LOG_FULL, LOG_UNAVAILABLE: nothing has changed, and it may be called again
   */
  sealStep(isLast = false): boolean {
    try {
      if (!this.#sealing) {
        if (!this.#close()) return false;
        const encoder = new SealEncoder(this.database, this.tail, (offset) => this.epochs.of(offset));
        this.#sealing = { encoder, works: [] };
        return true;
      }
      const { encoder, works } = this.#sealing;
      const work = encoder.next();
      if (work) {
        works.push(work);
        return true;
      }
      this.#sealing = undefined;
      this.#commitSeal(encoder.closedChunk, works, isLast);
      return false;
    } catch (error) {
      this.#sealing = undefined;
      this.forget();
      throw asLogError(error, this.path);
    }
  }

  /**
   * Seals what waits, the encoding in a thread of its own; appends go on meanwhile. Ends without a change on abort.
   * @throws EdgeError LOG_FULL, LOG_UNAVAILABLE: nothing has changed, and it may be called again
   */
  async sealAside(signal: AbortSignal): Promise<void> {
    try {
      if (signal.aborted || !this.#close()) return;
      const { closedChunk } = this.tail;
      const works = await encodeAside(this.path, closedChunk, signal);
      if (works === undefined || this.isClosed) return;
      this.#commitSeal(closedChunk, works, false);
      this.#isExpiryDue = true;
    } catch (error) {
      this.forget();
      throw asLogError(error, this.path);
    }
  }

  /** Draws the line up to which is sealed; false when there is nothing to seal. */
  #close(): boolean {
    this.step("close");
    this.write(() => {
      const last = this.tail.lastChunk;
      if (this.tail.closedChunk > this.tail.sealedChunk || last === this.tail.sealedChunk) return;
      this.blocks.statement("UPDATE mark SET closed_chunk = ?").run(last);
    });
    this.read(() => this.tail.reload());
    return this.tail.closedChunk > this.tail.sealedChunk;
  }

  #commitSeal(closedChunk: number, works: readonly MachineWork[], isLast: boolean): void {
    this.step("seal");
    this.write(() => {
      const { database, tail, epochs } = this;
      commitSeal({ database, tail, epochs, runMs: this.runMs(), isLast }, closedChunk, works);
      this.step("sealing");
    });
    // When another process has sealed meanwhile, it has counted the time as well.
    this.runSaved();
    this.step("sealed");
    this.read(() => this.tail.reload());
  }

  /** Seals all that is there now, in one go, and gives back the space that nothing needs. */
  seal(): void {
    while (this.sealStep(true));
    while (this.#giveBack(0));
  }

  /** Moves all of the write-ahead log into the file, as far as readers allow. @throws EdgeError LOG_FULL */
  checkpoint(): void {
    try {
      this.database.pragma("wal_checkpoint(TRUNCATE)");
    } catch (error) {
      throw asLogError(error, this.path);
    }
  }

  /** Whether SQLite finds no fault in the file's structure; reads all of it. */
  isStructureSound(): boolean {
    return this.database.pragma("quick_check(1)", { simple: true }) === "ok";
  }

  /** What is damaged among what is not sealed yet, as far as it can be told; undefined when nothing is. */
  lostInTail(): { chunks: number; events: number; samples: number; fromMs: number; toMs: number } | undefined {
    return this.read(() => {
      const lost = this.tail.chunks.filter(({ isLost }) => isLost);
      if (lost.length === 0) return undefined;
      const times = lost.map(({ appendedMs }) => appendedMs).filter((timeMs) => timeMs > 0);
      return {
        chunks: lost.length,
        events: lost.reduce((sum, { firstOffset, lastOffset }) => sum + lastOffset - firstOffset + 1, 0),
        samples: lost.reduce((sum, { samples }) => sum + samples, 0),
        fromMs: Math.min(...times, this.clock.nowMs()),
        toMs: Math.max(...times, 0),
      };
    });
  }

  /**
   * One bounded piece of the work that keeps the log in order: clock, sealing, quota and age, space given back, damage.
   * @returns true while there is more to do at once
   * @throws EdgeError LOG_FULL, LOG_UNAVAILABLE, LOG_CORRUPT; nothing has changed, and it may be called again
   */
  maintain(seals = true): boolean {
    try {
      // Room first: a log whose disk is full could not seal.
      if (this.#recordJump() || this.#makeRoom()) return true;
      if (seals && this.isSealDue()) {
        const more = this.sealStep();
        if (!more) this.#isExpiryDue = true;
        return more;
      }
      return this.#recordDamage() || this.#expire() || this.#giveBack() || this.#scrub();
    } catch (error) {
      this.forget();
      throw asLogError(error, this.path);
    }
  }

  /** A transaction of ours that also tells what it did. */
  #telling<T extends { readonly blocks: number; readonly events?: readonly NewEvent[] }>(work: () => T): number {
    this.step("shed");
    let chunk: TailChunk | undefined;
    const done = this.write(() => {
      const result = work();
      if (result.events && result.events.length > 0) chunk = this.insert(result.events);
      this.step("shedding");
      return result.blocks;
    });
    if (chunk) this.appended(chunk);
    if (done > 0) {
      this.blocks.forget();
      this.rare.forget();
    }
    this.step("shed-done");
    return done;
  }

  /** A jump is kept until it is in the file: the disk may refuse just then. */
  #recordJump(): boolean {
    const jump = this.#clockWatch.look();
    if (jump && this.#jumps.length < JUMPS_MAX) this.#jumps.push(jump);
    if (this.#jumps.length === 0) return false;
    const events = this.#jumps.map((each): NewEvent => {
      return { type: "state", machineId: this.ownStream, timeMs: each.toMs, data: { clockJump: { ...each } } };
    });
    this.#telling(() => ({ blocks: 0, events }));
    this.#jumps = [];
    return true;
  }

  #recordDamage(): boolean {
    const [blockId] = this.blocks.damaged;
    if (blockId === undefined) return false;
    const shedder = new Shedder(this.database, this.epochs);
    const nowMs = this.clock.nowMs();
    this.#telling(() => {
      const gaps = shedder.setAside(blockId, nowMs);
      const alarm = alarmOf(this.ownStream, nowMs, "block-damaged", `block ${blockId} of the log is damaged`);
      return { blocks: 1, events: gaps.length > 0 ? [...gaps, alarm] : [] };
    });
    this.blocks.damaged.delete(blockId);
    return true;
  }

  /** Over the high mark: what the cloud has goes first, then unsent telemetry is thinned, then aggregates, then the rest. */
  #makeRoom(): boolean {
    const bytesWanted = this.#bounds.excess(this.usage());
    if (bytesWanted <= 0) return false;
    const shedder = new Shedder(this.database, this.epochs);
    const nowMs = this.clock.nowMs();
    const forwarded = this.#forwardedOffset();
    return (
      this.#telling(() => shedder.dropForwarded(forwarded, bytesWanted)) > 0 ||
      this.#telling(() => shedder.thin(bytesWanted, nowMs)) > 0 ||
      this.#telling(() => shedder.dropThinned(bytesWanted, nowMs)) > 0 ||
      this.#telling(() => shedder.unpack(bytesWanted)) > 0 ||
      this.#telling(() => shedder.dropRare(nowMs)) > 0 ||
      this.#giveBack()
    );
  }

  #expire(): boolean {
    if (!this.#isExpiryDue) return false;
    const shedder = new Shedder(this.database, this.epochs);
    const beforeRunMs = this.runMs() - this.#bounds.maxAgeMs;
    const done = this.#telling(() => shedder.expire(beforeRunMs, this.#forwardedOffset(), this.clock.nowMs()));
    this.#isExpiryDue = done > 0;
    return done > 0;
  }

  /** Up to where the cloud has acknowledged everything. */
  #forwardedOffset(): number {
    return this.#bounds.forwardedBy === undefined ? 0 : this.cursor(this.#bounds.forwardedBy);
  }

  #giveBack(freePagesMax = Math.min(FREE_PAGES_MAX, this.#bounds.quotaBytes / 4_096 / 20)): boolean {
    const { freeBytes, fileBytes } = this.usage();
    const freePages = freeBytes / 4_096;
    if (freePages <= Math.max(freePagesMax, freePagesMax === 0 ? 0 : fileBytes / 4_096 / 20)) return false;
    this.step("checkpoint");
    try {
      this.database.pragma(`incremental_vacuum(${VACUUM_PAGES})`);
    } catch (error) {
      throw asLogError(error, this.path);
    }
    this.step("checkpointed");
    return this.usage().freeBytes < freeBytes;
  }

  #scrub(): boolean {
    const ids = this.blocks
      .statement("SELECT block_id FROM block WHERE block_id > ? AND state = 'whole' ORDER BY block_id LIMIT ?")
      .pluck()
      .all(this.#scrubbed, SCRUB_BLOCKS) as number[];
    for (const blockId of ids)
      this.blocks.guarded(blockId, () => verifyBlock(this.blocks.bytesOf(blockId) ?? Buffer.alloc(0)));
    this.#scrubbed = ids.length < SCRUB_BLOCKS ? 0 : (ids.at(-1) ?? 0);
    return this.blocks.damaged.size > 0;
  }
}

/** An alarm about the log itself. */
export function alarmOf(machineId: string, timeMs: number, what: string, message: string): NewEvent {
  return { type: "alarm", machineId, timeMs, data: { source: "log", what, severity: "high", message } };
}

/**
 * Opens the log for appending, creating it when it is not there. Several processes may do so on one file.
 * @throws EdgeError LOG_UNAVAILABLE, LOG_VERSION, LOG_CORRUPT
 */
export function openLog(options: LogOptions): SqliteLog {
  return new SqliteLog(options);
}
