import { tooLargeIndex } from "../store/document-bytes.ts";
import { type NewDocument, OPERATIONS_MAX, type Operation, TRANSACTION_BYTES_MAX } from "../store/event-store.ts";
import { seqFilter } from "../store/seq-ranges.ts";
import { countOf } from "../store/seq-sets.ts";
import type { SeqRanges } from "../store/telemetry-document.ts";
import { blockDocument, eventsDocuments } from "../store/write-telemetry.ts";
import { admit, type Offer } from "./admission.ts";
import type { Known } from "./admitted-cache.ts";
import { admittedDocument, type PartitionStart } from "./admitted-document.ts";
import type { EventsArrival, Refusal, RunArrival } from "./arrival.ts";
import { gatheredDocuments, groupsOf, type Piece } from "./gathered-runs.ts";
import { refusalOf } from "./read-message.ts";

/** What an arrival has for one partition. */
export interface PartitionOffer extends Offer {
  readonly arrival: RunArrival | EventsArrival;
}

export interface PartitionPlan {
  /** Documents to create, then the one that says what is admitted; empty when nothing is new. */
  readonly operations: readonly Operation[];
  readonly admitted: SeqRanges;
  /** Offers from the beginning that this settles, refused ones included; the others need another transaction. */
  readonly settled: number;
  readonly refusals: readonly Refusal[];
  readonly documents: number;
  readonly events: number;
  readonly samples: number;
  /** Events that were here. */
  readonly duplicates: number;
}

/** What is kept free in a transaction for the document of what is admitted. */
const ADMITTED_BYTES = 64 * 1024;
const DOCUMENTS_MAX = OPERATIONS_MAX - 1;
/** Rather more than documents take; where they take still more, the transaction is planned anew with fewer offers. */
const FIELDS_BYTES = 1024;
const SAMPLE_BYTES = 9;
const EVENT_BYTES = 64;

/**
 * The next transaction of a partition.
 * @param offers by their first seq, ascending
 * @param offersMax so many of them at most
 */
export function planPartition(
  start: PartitionStart,
  known: Known,
  offers: readonly PartitionOffer[],
  offersMax = offers.length,
): PartitionPlan {
  const taken = offers.slice(0, Math.min(offersMax, fitting(offers)));
  const refusals: Refusal[] = [];
  let sound = taken;
  for (;;) {
    const { fresh, admitted } = admit(known.ranges, sound);
    const bad = new Set<PartitionOffer>();
    const documents = documentsOf(fresh, (offer, error) => {
      bad.add(offer);
      refusals.push(refusalOf(error, offer.arrival.message));
    });
    if (bad.size > 0) {
      // Whatever the bad ones would have taken is free again for others.
      sound = sound.filter((offer) => !bad.has(offer));
      continue;
    }
    const creates = documents.map((document): Operation => ({ op: "create", document }));
    const operations = creates.length === 0 ? [] : [...creates, admittedOperation(start, known, admitted)];
    if (taken.length > 1 && (operations.length > OPERATIONS_MAX || tooLargeIndex(operations) !== undefined))
      return planPartition(start, known, offers, taken.length >> 1);
    const events = fresh.reduce((sum, { seqs }) => sum + countOf(seqs), 0);
    const samples = documents.reduce((sum, { fields }) => sum + (fields.samples as number), 0);
    const offered = sound.reduce((sum, { seqs }) => sum + countOf(seqs), 0);
    const counts = { documents: documents.length, events, samples, duplicates: offered - events };
    return { operations, admitted, settled: taken.length, refusals, ...counts };
  }
}

/** How many offers from the beginning should fit into a transaction; at least one. */
function fitting(offers: readonly PartitionOffer[]): number {
  let bytes = ADMITTED_BYTES;
  for (const [index, { arrival }] of offers.entries()) {
    bytes += estimatedBytes(arrival);
    if (index > 0 && (bytes > TRANSACTION_BYTES_MAX || index >= DOCUMENTS_MAX)) return index;
  }
  return offers.length;
}

function estimatedBytes(arrival: RunArrival | EventsArrival): number {
  if (arrival.kind === "events") return FIELDS_BYTES + arrival.events.length * EVENT_BYTES;
  const { samples, events } = arrival.block.head;
  return FIELDS_BYTES + (arrival.bytes?.length ?? samples * SAMPLE_BYTES + events * EVENT_BYTES);
}

type Fresh = { readonly offer: PartitionOffer; readonly seqs: SeqRanges };

function documentsOf(fresh: readonly Fresh[], refuse: (offer: PartitionOffer, error: unknown) => void): NewDocument[] {
  const documents: NewDocument[] = [];
  const pieces: (Piece & { readonly offer: PartitionOffer })[] = [];
  for (const { offer, seqs } of fresh) {
    const { arrival } = offer;
    if (arrival.kind === "run" && arrival.bytes === undefined) {
      const { block, origin } = arrival;
      pieces.push({ block, origin, seqs, offer });
      continue;
    }
    try {
      documents.push(...ownDocuments(arrival, seqs));
    } catch (error) {
      refuse(offer, error);
    }
  }
  pieces.sort((a, b) => (a.seqs[0]?.[0] ?? 0) - (b.seqs[0]?.[0] ?? 0));
  for (const group of groupsOf(pieces)) {
    try {
      documents.push(...gatheredDocuments(group));
    } catch (error) {
      const alone = group.filter((piece) => !canBeEncoded(piece));
      for (const offer of new Set((alone.length > 0 ? alone : group).map((piece) => piece.offer))) refuse(offer, error);
    }
  }
  return documents;
}

function ownDocuments(arrival: RunArrival | EventsArrival, seqs: SeqRanges): NewDocument[] {
  if (arrival.kind === "run") {
    const { firstSeq, lastSeq } = arrival.block.head;
    const isWhole = seqs.length === 1 && seqs[0]?.[0] === firstSeq && seqs[0][1] === lastSeq;
    const bytes = arrival.bytes ?? new Uint8Array();
    return [blockDocument(bytes, arrival.block, arrival.origin, isWhole ? undefined : seqs)];
  }
  const isFresh = seqFilter(seqs);
  return eventsDocuments(
    arrival.events.filter(({ seq }) => isFresh(seq)),
    arrival.origin,
  );
}

function canBeEncoded(piece: Piece): boolean {
  try {
    gatheredDocuments([piece]);
    return true;
  } catch {
    return false;
  }
}

function admittedOperation(start: PartitionStart, { etag }: Known, admitted: SeqRanges): Operation {
  const document = admittedDocument(start, admitted);
  return etag === undefined ? { op: "create", document } : { op: "replace", document, etag };
}
