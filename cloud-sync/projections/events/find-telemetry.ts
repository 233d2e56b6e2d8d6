import type { StoredEvent } from "../../contract/event.ts";
import { type EventStore, OPERATIONS_MAX, type StoredDocument } from "../../store/event-store.ts";
import { readTelemetryDocument } from "../../store/read-telemetry.ts";
import { partitionOf, type TelemetryDocument } from "../../store/telemetry-document.ts";
import { telemetryDocumentId } from "../../store/write-telemetry.ts";

/** Identity of an event without its machine. */
export interface EventName {
  readonly machineId: string;
  readonly epoch: string;
  readonly seq: number;
}

/** A block that holds an event begins so many seqs before it at most; looked for first where it nearly always is. */
const WINDOWS = [64, 1_024, 16_384] as const;
/** Documents that are looked at for one event in each of them. */
const DOCUMENTS_MAX = 1_000;

/** The event of this name in `causedBy`, when it is one of the machine. */
export function causeOf({ machineId, causedBy }: Pick<StoredEvent, "machineId" | "causedBy">): EventName | undefined {
  if (causedBy === undefined) return undefined;
  // Epochs and machine ids may hold slashes; the machine is known.
  const at = causedBy.lastIndexOf("/");
  const seq = Number(causedBy.slice(at + 1));
  const stream = causedBy.slice(0, at);
  if (!stream.endsWith(`/${machineId}`) || !/^\d{1,16}$/.test(causedBy.slice(at + 1)) || !Number.isSafeInteger(seq))
    return undefined;
  return { machineId, epoch: stream.slice(0, stream.length - machineId.length - 1), seq };
}

/** The event in a document; undefined when it is not there or does not count. @throws BlockError, FrameError */
export function eventIn(document: TelemetryDocument, { epoch, seq }: EventName): StoredEvent | undefined {
  const { fields, block, counts } = document;
  if (epoch !== fields.epoch || seq < fields.firstSeq || seq > fields.lastSeq) return undefined;
  if (block === undefined) return document.events().find((event) => event.seq === seq);
  const index = seq - block.head.firstSeq;
  if (counts !== undefined && !counts(index)) return undefined;
  return block.events(index, index + 1)[0];
}

/** A telemetry event that is in a block of the store, with the document; undefined when it has not come or has expired. */
export async function findTelemetry(
  store: EventStore,
  name: EventName,
  signal: AbortSignal,
): Promise<{ readonly event: StoredEvent; readonly document: TelemetryDocument } | undefined> {
  const partition = partitionOf(name);
  let toSeq = name.seq;
  for (const window of WINDOWS) {
    const fromSeq = Math.max(0, name.seq - window);
    let afterId = fromSeq === 0 ? "block-" : telemetryDocumentId("block", fromSeq - 1);
    for (let looked = 0; looked < DOCUMENTS_MAX; ) {
      const options = { afterId, toId: telemetryDocumentId("block", toSeq), limit: OPERATIONS_MAX };
      const documents = await store.range("telemetry", partition, options, signal);
      const found = documents.map((document) => within(document, name)).find((each) => each !== undefined);
      if (found !== undefined) return found;
      const last = documents.at(-1);
      if (last === undefined || documents.length < OPERATIONS_MAX) break;
      afterId = last.id;
      looked += documents.length;
    }
    if (fromSeq === 0) return undefined;
    toSeq = fromSeq - 1;
  }
  return undefined;
}

function within(document: StoredDocument, name: EventName) {
  try {
    const read = readTelemetryDocument(document);
    const event = eventIn(read, name);
    return event === undefined ? undefined : { event, document: read };
  } catch {
    // A damaged one is told where it comes in the feed.
    return undefined;
  }
}
