import type Database from "better-sqlite3";
import { BlockError } from "../../../cloud-sync/contract/block/block-error.ts";
import { MachineDecoder } from "../tail/chain-decoder.ts";
import type { Tail, TailChunk } from "../tail/tail.ts";
import { BLOCK_SAMPLES_MAX, BlockSink } from "./block-sink.ts";
import type { SealedBlock } from "./insert-block.ts";
import { readNames } from "./signal-refs.ts";

/** One machine's part of a seal, ready to be written. */
export interface MachineWork {
  readonly machineId: string;
  readonly blocks: readonly SealedBlock[];
  /** Names of the machine's signals as its roll-ups number them; undefined when none is new. */
  readonly names: readonly string[] | undefined;
}

/**
 * Turns the chunks up to `closedChunk` into blocks, machine by machine, while appends go on. It writes nothing, so that it
 * may run in another thread on a connection of its own; closed chunks never change.
 */
export class SealEncoder {
  readonly closedChunk: number;
  readonly #chunks: readonly TailChunk[];
  readonly #epochOf: (offset: number) => string;
  readonly #database: Database.Database;
  readonly #todo: string[];

  constructor(database: Database.Database, tail: Tail, epochOf: (offset: number) => string) {
    this.#database = database;
    this.#epochOf = epochOf;
    this.closedChunk = tail.closedChunk;
    this.#chunks = tail.chunks.filter(({ number }) => number <= this.closedChunk);
    this.#todo = [...new Set(this.#chunks.flatMap(({ sections }) => sections.map(({ machineId }) => machineId)))];
  }

  /** The next machine's blocks; undefined when all are done. */
  next(): MachineWork | undefined {
    const machineId = this.#todo.shift();
    if (machineId === undefined) return undefined;
    const row = this.#database
      .prepare("SELECT machine_ref AS machineRef, last_hash AS lastHash FROM machine WHERE machine_id = ?")
      .get(machineId) as { machineRef: number; lastHash: Buffer } | undefined;
    const known = row ? readNames(this.#database, row.machineRef) : [];
    // What does not compress makes too large a block, which shows only when it is made: then smaller ones are tried.
    for (let share = 1; ; share /= 4) {
      try {
        const refs = new Map(known.map((name, ref) => [name, ref]));
        const blocks = this.#blocksOf(machineId, row?.lastHash ?? Buffer.alloc(16), refs, share);
        return { machineId, blocks, names: refs.size > known.length ? [...refs.keys()] : undefined };
      } catch (error) {
        const isTooLarge = error instanceof BlockError && error.code === "limit";
        if (!isTooLarge || share < 1 / BLOCK_SAMPLES_MAX) throw error;
      }
    }
  }

  #blocksOf(machineId: string, hash: Uint8Array, refs: Map<string, number>, share: number): SealedBlock[] {
    const refOf = (name: string): number => {
      const ref = refs.get(name) ?? refs.size;
      refs.set(name, ref);
      return ref;
    };
    const sink = new BlockSink(machineId, hash, refOf, share);
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
    return sink.finish();
  }
}
