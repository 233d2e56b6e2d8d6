import { decodeBlock } from "../contract/block/block.ts";
import { BlockBuilder } from "../contract/block/block-builder.ts";
import { BlockError } from "../contract/block/block-error.ts";
import type { DecodedBlock } from "../contract/block/decoded-block.ts";
import type { NewDocument } from "../store/event-store.ts";
import { clippedTo, unionOf } from "../store/seq-sets.ts";
import type { SeqRanges } from "../store/telemetry-document.ts";
import { blockDocument, type Origin } from "../store/write-telemetry.ts";

/** What is new of a fresh run, which has no block of its own yet. */
export interface Piece {
  readonly block: DecodedBlock;
  readonly origin: Origin;
  /** Not empty. */
  readonly seqs: SeqRanges;
}

/** Nothing stands before it: fresh events are not chained. */
const NO_HASH = new Uint8Array(16);
/** Readings of a block that is made of several runs: well below what a block may hold, whatever they are. */
const GATHERED_SAMPLES_MAX = 20_000;

/** Pieces that follow each other and came from the same device, to be stored as one block. @param pieces of one stream, seq ascending */
export function groupsOf<T extends Piece>(pieces: readonly T[]): T[][] {
  const groups: T[][] = [];
  let samples = 0;
  for (const piece of pieces) {
    const group = groups.at(-1);
    const last = group?.at(-1);
    samples += piece.block.head.samples;
    const follows = last !== undefined && lastOf(last) === firstOf(piece) - 1;
    if (
      group !== undefined &&
      follows &&
      last.origin.deviceId === piece.origin.deviceId &&
      samples <= GATHERED_SAMPLES_MAX
    ) {
      group.push(piece);
      continue;
    }
    groups.push([piece]);
    samples = piece.block.head.samples;
  }
  return groups;
}

/**
 * A block of the pieces; several where they do not fit into one. What lies between the seqs of a piece is in the block, too, and does
 * not count.
 * @param pieces a group of groupsOf
 * @throws BlockError when one of them was forged
 */
export function gatheredDocuments(pieces: readonly Piece[]): NewDocument[] {
  const first = pieces[0];
  if (first === undefined) return [];
  const enqueuedMs = Math.max(...pieces.map(({ origin }) => origin.enqueuedMs));
  try {
    const bytes = encoded(pieces);
    const hasHoles = pieces.some(({ seqs }) => seqs.length > 1);
    const admitted = hasHoles ? pieces.reduce<SeqRanges>((all, { seqs }) => unionOf(all, seqs), []) : undefined;
    return [blockDocument(bytes, decodeBlock(bytes), { ...first.origin, enqueuedMs }, admitted)];
  } catch (error) {
    if (!(error instanceof BlockError && error.code === "limit")) throw error;
    const halves = halved(pieces);
    if (halves === undefined) throw error;
    return halves.flatMap(gatheredDocuments);
  }
}

function encoded(pieces: readonly Piece[]): Buffer {
  const builder = new BlockBuilder((pieces[0] as Piece).block.head);
  for (const piece of pieces) {
    const start = piece.block.head.firstSeq;
    piece.block.copyTo(builder, firstOf(piece) - start, lastOf(piece) - start + 1);
  }
  return builder.finish(NO_HASH);
}

function halved(pieces: readonly Piece[]): readonly (readonly Piece[])[] | undefined {
  if (pieces.length > 1) {
    const middle = pieces.length >> 1;
    return [pieces.slice(0, middle), pieces.slice(middle)];
  }
  const piece = pieces[0] as Piece;
  const [first, last] = [firstOf(piece), lastOf(piece)];
  if (first === last) return undefined;
  const middle = Math.floor((first + last) / 2);
  const parts = [clippedTo(piece.seqs, first, middle), clippedTo(piece.seqs, middle + 1, last)];
  return parts.map((seqs) => [{ ...piece, seqs }]);
}

function firstOf({ seqs }: Piece): number {
  return seqs[0]?.[0] ?? 0;
}

function lastOf({ seqs }: Piece): number {
  return seqs.at(-1)?.[1] ?? 0;
}
