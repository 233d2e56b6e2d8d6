import type Database from "better-sqlite3";
import { blockHash } from "../../../cloud-sync/contract/block/block.ts";
import { BlockBuilder } from "../../../cloud-sync/contract/block/block-builder.ts";
import { BlockError } from "../../../cloud-sync/contract/block/block-error.ts";
import { BLOCK_BYTES_MAX } from "../../../cloud-sync/contract/block/limits.ts";
import type { EventType } from "../../../cloud-sync/contract/event.ts";
import type { SampleValue } from "../../../cloud-sync/contract/sample.ts";
import { RollupBuilder } from "../rollup/rollup.ts";
import { numberOf } from "../series.ts";
import { MachineDecoder, type SectionSink } from "../tail/chain-decoder.ts";
import type { SectionHead } from "../tail/chunk.ts";
import type { Tail, TailChunk } from "../tail/tail.ts";
import { insertBlock, type RareEntry, type SealedBlock } from "./insert-block.ts";
import { SignalRefs } from "./signal-refs.ts";

/** A block is begun anew beyond this, so that it stays far below the largest message. */
const BLOCK_SAMPLES_MAX = 40_000;
const BLOCK_EVENTS_MAX = 40_000;
const BLOCK_BYTES_WANTED = 0.8 * BLOCK_BYTES_MAX;

interface MachineWork {
  readonly machineId: string;
  readonly machineRef: number;
  readonly blocks: SealedBlock[];
}

/** Turns the chunks up to `closedChunk` into blocks: `step` machine by machine while appends go on, then `commit` once. */
export class Sealing {
  readonly closedChunk: number;
  readonly #chunks: readonly TailChunk[];
  readonly #epochOf: (offset: number) => string;
  readonly #database: Database.Database;
  readonly #signalRefs: SignalRefs;
  readonly #todo: string[];
  readonly #done: MachineWork[] = [];

  constructor(database: Database.Database, tail: Tail, epochOf: (offset: number) => string) {
    this.#database = database;
    this.#epochOf = epochOf;
    this.closedChunk = tail.closedChunk;
    this.#chunks = tail.chunks.filter(({ number }) => number <= this.closedChunk);
    this.#signalRefs = new SignalRefs(database);
    this.#todo = [...new Set(this.#chunks.flatMap(({ sections }) => sections.map(({ machineId }) => machineId)))];
  }

  /** Encodes the next machine; false when all are done. */
  step(): boolean {
    const machineId = this.#todo.shift();
    if (machineId === undefined) return false;
    const row = this.#database
      .prepare("SELECT machine_ref AS machineRef, last_hash AS lastHash FROM machine WHERE machine_id = ?")
      .get(machineId) as { machineRef: number; lastHash: Buffer } | undefined;
    // A machine gets its number with its first block; until the commit nobody else may give one.
    const machineRef = row?.machineRef ?? -1;
    const hash = row?.lastHash ?? Buffer.alloc(16);
    this.#done.push({ machineId, machineRef, blocks: this.#blocksOf(machineId, machineRef, hash) });
    return this.#todo.length > 0;
  }

  /** What does not compress makes too large a block, which shows only when it is made: then smaller ones are tried. */
  #blocksOf(machineId: string, machineRef: number, hash: Uint8Array): SealedBlock[] {
    for (let share = 1; ; share /= 4) {
      try {
        const sink = new BlockSink(machineId, hash, this.#signalRefs.of(machineId, machineRef), share);
        this.#feed(machineId, sink);
        return sink.finish();
      } catch (error) {
        const isTooLarge = error instanceof BlockError && error.code === "limit";
        if (!isTooLarge || share < 1 / BLOCK_SAMPLES_MAX) throw error;
      }
    }
  }

  #feed(machineId: string, sink: BlockSink): void {
    const decoders = new Map<number, MachineDecoder>();
    for (const chunk of this.#chunks) {
      let offset = chunk.firstOffset;
      for (const section of chunk.sections) {
        if (section.machineId === machineId) {
          let decoder = decoders.get(chunk.chain);
          if (!decoder) {
            decoder = new MachineDecoder(machineId);
            decoders.set(chunk.chain, decoder);
          }
          sink.begin(section, offset, this.#epochOf(offset), decoder, chunk.chain);
          decoder.section(chunk.raw, section, sink);
        }
        offset += section.events;
      }
    }
  }

  /**
   * Writes all blocks and frees the slots; for a transaction that holds the write lock.
   * @param isLast nothing more is expected soon: where no slot is in use any more, their space is given back
   * @returns false when another process has sealed meanwhile: then nothing was written
   */
  commit(tail: Tail, runMs: number, isLast: boolean): boolean {
    if (tail.closedChunk !== this.closedChunk || tail.chunks[0]?.number !== this.#chunks[0]?.number) return false;
    const last = this.#chunks.at(-1);
    if (!last) return false;
    const database = this.#database;
    const groupNo = (database.prepare("SELECT coalesce(max(group_no), 0) + 1 FROM block").pluck().get() as number) || 1;
    const insertMachine = database.prepare(
      "INSERT INTO machine (machine_id, last_seq, last_hash) VALUES (?, 0, zeroblob(16))",
    );
    for (const { machineId, machineRef, blocks } of this.#done) {
      const ref = machineRef >= 0 ? machineRef : Number(insertMachine.run(machineId).lastInsertRowid);
      for (const block of blocks) insertBlock(database, { machineRef: ref, groupNo, runMs }, block);
      this.#signalRefs.save(machineId, ref);
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
}

/** Gathers one machine's events into blocks, with their roll-ups and the list of what is not telemetry. */
class BlockSink implements SectionSink {
  readonly #machineId: string;
  readonly #refOf: (name: string) => number;
  readonly #share: number;
  readonly #blocks: SealedBlock[] = [];
  readonly #rollup = new RollupBuilder();
  #rare: RareEntry[] = [];
  #receivedMs = { from: Number.POSITIVE_INFINITY, to: Number.NEGATIVE_INFINITY };
  #builder: BlockBuilder | undefined;
  #epoch = "";
  #hash: Uint8Array;
  #nextSeq = -1;
  #offsetOfSeqZero = 0;
  #decoder: MachineDecoder | undefined;
  #chain = -1;
  /** Numbers of the chain's signals in the builder and in the roll-up. */
  #inBlock: number[] = [];
  #inRollup: number[] = [];

  /** @param share of a block's bounds that one may fill */
  constructor(machineId: string, hash: Uint8Array, refOf: (name: string) => number, share: number) {
    this.#share = share;
    this.#machineId = machineId;
    this.#hash = hash;
    this.#refOf = refOf;
  }

  begin(section: SectionHead, firstOffset: number, epoch: string, decoder: MachineDecoder, chain: number): void {
    if (epoch !== this.#epoch || section.firstSeq !== this.#nextSeq) this.#cut(epoch);
    if (chain !== this.#chain) {
      this.#chain = chain;
      this.#inRollup = [];
      this.#inBlock = [];
    }
    this.#decoder = decoder;
    this.#offsetOfSeqZero = firstOffset - section.firstSeq;
  }

  event(
    seq: number,
    type: EventType,
    timeMs: number,
    entityId: string | null,
    causedBy: string | null,
    json: string | null,
  ): void {
    let builder = this.#builder as BlockBuilder;
    const isFull =
      builder.samples >= BLOCK_SAMPLES_MAX * this.#share ||
      builder.events >= BLOCK_EVENTS_MAX * this.#share ||
      builder.estimatedBytes >= BLOCK_BYTES_WANTED * this.#share;
    if (isFull && builder.events > 0) {
      this.#cut(this.#epoch);
      builder = this.#builder as BlockBuilder;
    }
    const offset = this.#offsetOfSeqZero + seq;
    builder.beginEvent(seq, offset, type, timeMs, entityId, causedBy, json);
    if (json !== null) this.#rare.push({ offset, seq, type, timeMs });
    this.#nextSeq = seq + 1;
  }

  sample(
    signal: number,
    value: SampleValue,
    statusCode: number,
    sourceMs: number,
    serverMs: number,
    receivedMs: number,
  ): void {
    let inBlock: number | undefined = this.#inBlock[signal];
    if (inBlock === undefined) {
      const name = this.#decoder?.signalName(signal) ?? "";
      inBlock = (this.#builder as BlockBuilder).signalRef(name) as number;
      this.#inBlock[signal] = inBlock;
      this.#inRollup[signal] = this.#refOf(name);
    }
    (this.#builder as BlockBuilder).addSample(inBlock, value, statusCode, sourceMs, serverMs, receivedMs);
    if (receivedMs < this.#receivedMs.from) this.#receivedMs.from = receivedMs;
    if (receivedMs > this.#receivedMs.to) this.#receivedMs.to = receivedMs;
    this.#rollup.add(this.#inRollup[signal] as number, receivedMs, numberOf(value), statusCode);
  }

  finish(): SealedBlock[] {
    this.#cut("");
    return this.#blocks;
  }

  /** Ends the block, if there is one, and begins the next. */
  #cut(epoch: string): void {
    const builder = this.#builder;
    if (builder && builder.events > 0) {
      const bytes = builder.finish(this.#hash);
      this.#blocks.push({ bytes, rare: this.#rare, rollup: this.#rollup.finish(), receivedMs: this.#receivedMs });
      this.#receivedMs = { from: Number.POSITIVE_INFINITY, to: Number.NEGATIVE_INFINITY };
      this.#hash = blockHash(bytes);
      this.#rare = [];
    }
    this.#inBlock = [];
    this.#epoch = epoch;
    this.#builder = new BlockBuilder({ epoch, machineId: this.#machineId });
  }
}
