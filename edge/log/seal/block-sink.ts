import { blockHash } from "../../../cloud-sync/contract/block/block.ts";
import { BlockBuilder } from "../../../cloud-sync/contract/block/block-builder.ts";
import { BLOCK_BYTES_MAX } from "../../../cloud-sync/contract/block/limits.ts";
import type { EventType } from "../../../cloud-sync/contract/event.ts";
import { RollupBuilder } from "../../../cloud-sync/contract/rollup/rollup-builder.ts";
import type { SampleValue } from "../../../cloud-sync/contract/sample.ts";
import { numberOf } from "../series.ts";
import type { MachineDecoder, SectionSink } from "../tail/chain-decoder.ts";
import type { SectionHead } from "../tail/chunk.ts";
import type { RareEntry, SealedBlock } from "./insert-block.ts";

/** A block is begun anew beyond this, so that it stays far below the largest message. */
export const BLOCK_SAMPLES_MAX = 200_000;
const BLOCK_EVENTS_MAX = 40_000;
const BLOCK_BYTES_WANTED = 0.8 * BLOCK_BYTES_MAX;

/** Gathers one machine's events into blocks, with their roll-ups and the list of what is not telemetry. */
export class BlockSink implements SectionSink {
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
