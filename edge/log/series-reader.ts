import type { DecodedColumn } from "../../cloud-sync/contract/block/decoded-block.ts";
import { MINUTE_MS, type MinuteAggregate } from "../../cloud-sync/contract/rollup/minute.ts";
import { readRollup } from "../../cloud-sync/contract/rollup/rollup.ts";
import type { BlockMeta, BlockStore } from "./block-store.ts";
import { aggregateSlice, numberOf, type SeriesQuery, SeriesSink, type SeriesSlice } from "./series.ts";
import { MachineDecoder } from "./tail/chain-decoder.ts";
import { NOWHERE } from "./tail/event-sink.ts";
import type { Tail, TailChunk } from "./tail/tail.ts";

/** Work of one piece, so that an event loop stays free: a trend is read over many of them. */
const PIECE_MS = 4;

/**
 * Reads lines in pieces, each from a snapshot of its own. What was in the tail before and is sealed now is found in its
 * block: the place is kept as a seq.
 */
export class SeriesReader {
  readonly #query: SeriesQuery;
  readonly #tail: Tail;
  readonly #blocks: BlockStore;
  #afterSeq = 0;
  #metas: BlockMeta[] | undefined;
  #walk: { readonly begin: number; position: number; readonly decoders: Map<number, MachineDecoder> } | undefined;

  constructor(query: SeriesQuery, tail: Tail, blocks: BlockStore) {
    this.#query = query;
    this.#tail = tail;
    this.#blocks = blocks;
  }

  /** The next piece; undefined at the end. For a transaction in which the tail has been refreshed. */
  next(): SeriesSlice[] | undefined {
    const startedMs = performance.now();
    const slices: SeriesSlice[] = [];
    while (performance.now() - startedMs < PIECE_MS) {
      const more = this.#sealed(slices) || this.#fresh(slices);
      if (!more) return slices.length > 0 ? slices : undefined;
    }
    return slices;
  }

  #sealed(slices: SeriesSlice[]): boolean {
    const { machineId, fromMs, toMs } = this.#query;
    if (this.#walk && this.#walk.begin !== this.#tail.sealedChunk) {
      this.#walk = undefined;
      this.#metas = undefined;
    }
    if (this.#metas === undefined) {
      const ref = this.#blocks.machineRef(machineId);
      this.#metas = ref === undefined ? [] : this.#blocks.ofTime(ref, fromMs, toMs, this.#afterSeq);
    }
    const meta = this.#metas.shift();
    if (!meta) return false;
    this.#afterSeq = meta.lastSeq;
    slices.push(...this.#ofBlock(meta));
    return true;
  }

  #ofBlock(meta: BlockMeta): SeriesSlice[] {
    const { resolutionMs = 0, signals } = this.#query;
    if (meta.state === "corrupt" || meta.samples === 0) return [];
    if (meta.state === "thinned" || resolutionMs >= MINUTE_MS) {
      const slices = this.#aggregates(meta);
      if (slices) return slices;
    }
    const block = this.#blocks.decoded(meta.blockId);
    return signals.flatMap((signal) => {
      const column = block && this.#blocks.guarded(meta.blockId, () => block.column(signal));
      const numbers = column && this.#blocks.guarded(meta.blockId, () => numbersOf(column));
      return numbers ? [this.#within(signal, { ...column, numbers })] : [];
    });
  }

  #within(
    signal: string,
    column: { receivedMs: Float64Array; numbers: Float64Array; statusCodes: Uint32Array },
  ): SeriesSlice {
    const { fromMs, toMs } = this.#query;
    const { receivedMs: timesMs, numbers, statusCodes } = column;
    if (timesMs.every((timeMs) => timeMs >= fromMs && timeMs < toMs))
      return { signal, timesMs, numbers, statusCodes, isAggregate: false };
    const kept = [...timesMs.keys()].filter((i) => (timesMs[i] as number) >= fromMs && (timesMs[i] as number) < toMs);
    return {
      signal,
      timesMs: Float64Array.from(kept, (i) => timesMs[i] as number),
      numbers: Float64Array.from(kept, (i) => numbers[i] as number),
      statusCodes: Uint32Array.from(kept, (i) => statusCodes[i] as number),
      isAggregate: false,
    };
  }

  #aggregates({ blockId, machineRef }: BlockMeta): SeriesSlice[] | undefined {
    const bytes = this.#blocks.rollupOf(blockId);
    if (!bytes) return undefined;
    const { fromMs, toMs, signals } = this.#query;
    const slices: SeriesSlice[] = [];
    for (const signal of signals) {
      const ref = this.#blocks.signalRef(machineRef, signal);
      const minutes = ref === undefined ? [] : minutesOf(bytes, ref);
      if (!minutes) return undefined;
      const within = minutes.filter(({ minute }) => (minute + 1) * MINUTE_MS > fromMs && minute * MINUTE_MS < toMs);
      if (within.length > 0) slices.push(aggregateSlice(signal, within));
    }
    return slices;
  }

  #fresh(slices: SeriesSlice[]): boolean {
    const { machineId, signals, fromMs, toMs } = this.#query;
    const { sealedChunk } = this.#tail;
    this.#walk ??= { begin: sealedChunk, position: sealedChunk, decoders: new Map() };
    const chunk: TailChunk | undefined = this.#tail.chunks[this.#tail.indexOf(this.#walk.position + 1)];
    if (!chunk) return false;
    this.#walk.position = chunk.number;
    const sink = new SeriesSink(signals, fromMs, toMs, this.#afterSeq);
    for (const section of chunk.sections) {
      if (section.machineId !== machineId) continue;
      let decoder = this.#walk.decoders.get(chunk.chain);
      if (!decoder) {
        decoder = new MachineDecoder(machineId);
        this.#walk.decoders.set(chunk.chain, decoder);
      }
      const lastSeq = section.firstSeq + section.events - 1;
      decoder.section(chunk.raw, section, lastSeq > this.#afterSeq ? sink.begin(decoder) : NOWHERE);
      this.#afterSeq = Math.max(this.#afterSeq, lastSeq);
    }
    slices.push(...sink.take());
    return true;
  }
}

/** undefined when the aggregates are damaged: the readings themselves may still be there. */
function minutesOf(bytes: Uint8Array, ref: number): readonly MinuteAggregate[] | undefined {
  try {
    return readRollup(bytes, ref).get(ref) ?? [];
  } catch {
    return undefined;
  }
}

/** A column's values as a line shows them: what is no number to the block may still be one to a line. */
function numbersOf(column: DecodedColumn): Float64Array {
  const { numbers } = column;
  return numbers.some(Number.isNaN) ? Float64Array.from(column.values(), numberOf) : numbers;
}
