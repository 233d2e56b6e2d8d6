import type { DecodedBlock } from "../contract/block/decoded-block.ts";
import type { StoredEvent } from "../contract/event.ts";
import { encodeEvents } from "../contract/frame/events-json.ts";
import { FrameError } from "../contract/frame/frame-error.ts";
import { type RollupPart, writeRollupPart } from "../contract/frame/rollup-part.ts";
import { DOCUMENT_BYTES_MAX, type NewDocument } from "./event-store.ts";
import { seqFilter } from "./seq-ranges.ts";
import type { DocumentFields, DocumentKind, SeqRanges } from "./telemetry-document.ts";

/** Where the events of a document come from. */
export type Origin = Pick<DocumentFields, "factoryId" | "deviceId" | "enqueuedMs">;

const SEQ_DIGITS = 16;
/** For fields, and what a store puts around a document. */
const FIELDS_BYTES = 8 * 1024;

/**
 * The id of a document by the first seq that counts in it: unique, for no event counts in two documents, and in the order of seq, so
 * that a range of ids of one kind is a range of seqs.
 */
export function telemetryDocumentId(kind: Exclude<DocumentKind, "admitted">, firstSeq: number): string {
  return `${kind}-${String(firstSeq).padStart(SEQ_DIGITS, "0")}`;
}

/**
 * @param bytes the block's, encoded
 * @param admitted the seqs that count, within one partition, at least one; left out when all do
 * @throws BlockError when only a part counts, and the block is damaged
 */
export function blockDocument(
  bytes: Uint8Array,
  block: DecodedBlock,
  origin: Origin,
  admitted?: SeqRanges,
): NewDocument {
  const { epoch, machineId, firstSeq, lastSeq, events, samples, fromMs, toMs } = block.head;
  const whole = { epoch, machineId, ...origin };
  const isAll = admitted === undefined || (admitted[0]?.[0] === firstSeq && admitted[0][1] === lastSeq);
  const fields: DocumentFields = isAll
    ? { ...whole, firstSeq, lastSeq, events, samples, fromMs, toMs }
    : { ...whole, ...partOf(block, admitted), admitted };
  return { id: telemetryDocumentId("block", fields.firstSeq), kind: "block", fields: { ...fields }, body: bytes };
}

type Part = Pick<DocumentFields, "firstSeq" | "lastSeq" | "events" | "samples" | "fromMs" | "toMs">;

function partOf(block: DecodedBlock, admitted: SeqRanges): Part {
  const { firstSeq: first } = block.head;
  const isAdmitted = seqFilter(admitted);
  const counts = Uint8Array.from(block.eventTimes(), (_, index) => (isAdmitted(first + index) ? 1 : 0));
  let [events, samples] = [0, 0];
  let [fromMs, toMs] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  block.eventTimes().forEach((timeMs, index) => {
    if (counts[index] === 0) return;
    events++;
    fromMs = Math.min(fromMs, timeMs);
    toMs = Math.max(toMs, timeMs);
  });
  samples = countsAllTelemetry(block, isAdmitted, events) ? block.head.samples : 0;
  if (samples === 0) {
    for (const signal of block.signals)
      for (const index of block.column(signal)?.eventIndex ?? []) samples += counts[index] as number;
  }
  const [firstSeq, lastSeq] = [admitted[0]?.[0] ?? first, admitted.at(-1)?.[1] ?? first];
  return { firstSeq, lastSeq, events, samples, fromMs, toMs };
}

/** Whether what does not count is no telemetry: it has come before by the priority lane, and columns need not be decoded to know it. */
function countsAllTelemetry(block: DecodedBlock, isAdmitted: (seq: number) => boolean, events: number): boolean {
  const rare = block.rareEvents().filter(({ seq }) => !isAdmitted(seq));
  return rare.length === block.head.events - events;
}

/**
 * As many documents as the events need.
 * @param events of one stream and one partition, seq ascending
 * @param id of the document whose first event has this seq, when it is not to be telemetryDocumentId
 * @throws FrameError limit when an event is larger than a document may be, malformed when one has no JSON
 */
export function eventsDocuments(
  events: readonly StoredEvent[],
  origin: Origin,
  id = (firstSeq: number): string => telemetryDocumentId("events", firstSeq),
): NewDocument[] {
  const { messages, tooLarge } = encodeEvents(events, DOCUMENT_BYTES_MAX - FIELDS_BYTES);
  const large = tooLarge[0];
  if (large !== undefined)
    throw new FrameError("limit", `event ${large.machineId} ${large.seq} is larger than a document may be`);
  return messages.map(({ body, events: own }) => {
    const fields = eventsFields(own, origin);
    return { id: id(fields.firstSeq), kind: "events", fields: { ...fields }, body };
  });
}

/** One document; for events that are known to fit into one. @throws FrameError as eventsDocuments, and limit when they do not */
export function eventsDocument(events: readonly StoredEvent[], origin: Origin, id?: string): NewDocument {
  const [document, more] = eventsDocuments(events, origin, id === undefined ? undefined : () => id);
  if (document === undefined || more !== undefined)
    throw new FrameError("limit", `${events.length} events do not make one document`);
  return document;
}

function eventsFields(events: readonly StoredEvent[], origin: Origin): DocumentFields {
  const [first, last] = [events[0] as StoredEvent, events.at(-1) as StoredEvent];
  let samples = 0;
  let [fromMs, toMs] = [first.timeMs, first.timeMs];
  for (const event of events) {
    if (event.type === "telemetry") samples += event.data.samples.length;
    fromMs = Math.min(fromMs, event.timeMs);
    toMs = Math.max(toMs, event.timeMs);
  }
  const { epoch, machineId } = first;
  return {
    epoch,
    machineId,
    ...origin,
    firstSeq: first.seq,
    lastSeq: last.seq,
    events: events.length,
    samples,
    fromMs,
    toMs,
  };
}

/** To be upserted: the same range has always the same content. Its times are 0: they are within the roll-up. */
export function rollupDocument(part: RollupPart, origin: Origin): NewDocument {
  const { epoch, machineId, firstSeq, lastSeq, samples } = part;
  const range = { epoch, machineId, firstSeq, lastSeq };
  const fields: DocumentFields = { ...range, ...origin, events: 0, samples, fromMs: 0, toMs: 0 };
  return {
    id: telemetryDocumentId("rollup", firstSeq),
    kind: "rollup",
    fields: { ...fields },
    body: writeRollupPart(part),
  };
}
