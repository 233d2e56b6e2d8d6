import { EdgeError } from "../../../../edge/kernel/errors.ts";
import { decodeBlock } from "../../../contract/block/block.ts";
import { BlockBuilder } from "../../../contract/block/block-builder.ts";
import type { DecodedBlock } from "../../../contract/block/decoded-block.ts";
import { BLOCK_BYTES_MAX } from "../../../contract/block/limits.ts";
import type { NewDocument, StoredDocument } from "../../event-store.ts";
import { readTelemetryDocument } from "../../read-telemetry.ts";
import { unionOf } from "../../seq-sets.ts";
import type { DocumentFields, SeqRanges } from "../../telemetry-document.ts";
import { blockDocument } from "../../write-telemetry.ts";

/** Well below what a block may take, for the builder only estimates. */
const BYTES_WANTED_MAX = BLOCK_BYTES_MAX * 0.8;

/** Documents and the one that takes their place, under the id of the first. */
export interface Merge {
  readonly sources: readonly StoredDocument[];
  readonly document: NewDocument;
}

/**
 * Puts blocks together whose events follow each other. Where an event does not count, because it is in another document too, it stays
 * in the block and does not count there either.
 * @param documents blocks of one stream, epoch and part, ascending in seq
 * @throws BlockError, FrameError when one is damaged, EdgeError STORE_REFUSED when the result would not count what they count
 */
export function mergeBlocks(documents: readonly StoredDocument[]): Merge[] {
  const merges: Merge[] = [];
  let merger: Merger | undefined;
  for (const document of documents) {
    if (merger?.add(document)) continue;
    merges.push(...(merger?.finish() ?? []));
    merger = new Merger(document);
  }
  merges.push(...(merger?.finish() ?? []));
  return merges;
}

class Merger {
  readonly #builder: BlockBuilder;
  readonly #previousHash: Uint8Array;
  readonly #sources: StoredDocument[] = [];
  readonly #counted: DocumentFields[] = [];
  #admitted: SeqRanges = [];

  constructor(first: StoredDocument) {
    const { block, fields } = blockOf(first);
    this.#builder = new BlockBuilder(fields);
    this.#previousHash = block.head.previousHash;
    this.#take(first, block, fields, fields.firstSeq);
  }

  /** false: it does not follow, or does not fit any more. */
  add(document: StoredDocument): boolean {
    const { block, fields } = blockOf(document);
    const next = this.#builder.lastSeq + 1;
    if (block.head.firstSeq > next || fields.firstSeq < next) return false;
    if (this.#builder.estimatedBytes + block.head.bytes > BYTES_WANTED_MAX) return false;
    this.#take(document, block, fields, next);
    return true;
  }

  finish(): Merge[] {
    const [first, last] = [this.#sources[0], this.#counted.at(-1)];
    if (first === undefined || last === undefined || this.#sources.length < 2) return [];
    const bytes = this.#builder.finish(this.#previousHash);
    const { factoryId, deviceId, enqueuedMs } = last;
    const origin = { factoryId, deviceId, enqueuedMs };
    const document = { ...blockDocument(bytes, decodeBlock(bytes), origin, this.#admitted), id: first.id };
    for (const name of ["events", "samples"] as const) {
      const before = this.#counted.reduce((sum, fields) => sum + fields[name], 0);
      if (document.fields[name] !== before)
        throw new EdgeError(
          "STORE_REFUSED",
          `documents of ${before} ${name} would become one of ${document.fields[name]}`,
        );
    }
    return [{ sources: this.#sources, document }];
  }

  #take(document: StoredDocument, block: DecodedBlock, fields: DocumentFields, fromSeq: number): void {
    const { firstSeq } = block.head;
    block.copyTo(this.#builder, fromSeq - firstSeq, fields.lastSeq - firstSeq + 1);
    this.#sources.push(document);
    this.#counted.push(fields);
    this.#admitted = unionOf(this.#admitted, fields.admitted ?? [[fields.firstSeq, fields.lastSeq]]);
  }
}

function blockOf(document: StoredDocument): { block: DecodedBlock; fields: DocumentFields } {
  const { block, fields } = readTelemetryDocument(document);
  if (block === undefined) throw new EdgeError("STORE_REFUSED", `the document ${document.id} holds no block`);
  return { block, fields };
}
