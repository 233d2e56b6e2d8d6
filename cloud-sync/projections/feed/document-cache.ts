import { verifyBlock } from "../../contract/block/block.ts";
import type { Container, StoredDocument } from "../../store/event-store.ts";
import { readTelemetryDocument } from "../../store/read-telemetry.ts";
import type { TelemetryDocument } from "../../store/telemetry-document.ts";
import type { Change } from "../projection.ts";
import { BoundedMap } from "../state/bounded-map.ts";

/**
 * Bytes that decoded documents may take, by a rough estimate. Projections stand near each other, and what is soon forgotten costs the
 * garbage collector half as much.
 */
const DECODED_BYTES_MAX = 24 * 2 ** 20;
/** Of a document, of a column with its six typed arrays, of a sample in them. */
const [DOCUMENT_BYTES, COLUMN_BYTES, SAMPLE_BYTES] = [1_000, 900, 44];

/** A document that is none, or was damaged in the store. */
export interface Unreadable {
  readonly container: Container;
  readonly document: StoredDocument;
  readonly reason: string;
}

/** Documents of the feed as they are decoded: once for all projections that stand near each other. */
export class DocumentCache {
  readonly #decoded = new BoundedMap<string, TelemetryDocument | Error>(DECODED_BYTES_MAX);

  /** @returns the change, or why it can't be read */
  read(container: Container, document: StoredDocument): Change | Unreadable {
    if (container === "metadata") return { container, document, telemetry: undefined };
    const { partition, id, etag } = document;
    const key = JSON.stringify([container, partition.stream, partition.part, id, etag]);
    let found = this.#decoded.get(key);
    if (found === undefined) {
      found = provedDocument(document);
      this.#decoded.set(key, found, weightOf(found));
    }
    return found instanceof Error
      ? { container, document, reason: found.message }
      : { container, document, telemetry: found };
  }
}

/** Damage is found here, for all projections alike; what was forged with true checksums is found by those that decode it. */
function provedDocument(document: StoredDocument): TelemetryDocument | Error {
  try {
    const read = readTelemetryDocument(document);
    if (read.kind === "block") verifyBlock(document.body ?? new Uint8Array());
    void read.block;
    void read.rollup;
    if (read.kind === "events") read.events();
    return read;
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

function weightOf(document: TelemetryDocument | Error): number {
  if (document instanceof Error) return DOCUMENT_BYTES;
  const { events, samples } = document.fields;
  return DOCUMENT_BYTES + (COLUMN_BYTES * samples) / Math.max(1, events) + SAMPLE_BYTES * samples;
}

/** Decodes all of a document. @throws whatever is wrong with it */
export function decodeWhole({ telemetry }: Change): void {
  if (telemetry === undefined) return;
  telemetry.rareEvents();
  const { block } = telemetry;
  for (const signal of block?.signals ?? []) block?.column(signal)?.values();
  telemetry.rollup?.content();
}
