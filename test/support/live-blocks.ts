import { decodeBlock } from "../../cloud-sync/contract/block/block.ts";
import { encodeBlock } from "../../cloud-sync/contract/block/block-builder.ts";
import type { StoredEvent } from "../../cloud-sync/contract/event.ts";
import type { EventStore, NewDocument, StoredDocument } from "../../cloud-sync/store/event-store.ts";
import { readTelemetryDocument } from "../../cloud-sync/store/read-telemetry.ts";
import { partitionOf, type SeqRanges } from "../../cloud-sync/store/telemetry-document.ts";
import { blockDocument, type Origin } from "../../cloud-sync/store/write-telemetry.ts";

const NO_HASH = new Uint8Array(16);
const NEVER = new AbortController().signal;

export interface LiveBlock {
  readonly machineId: string;
  readonly firstSeq: number;
  readonly events: number;
  readonly signals?: number;
  readonly epoch?: string;
  readonly deviceId?: string;
  readonly admitted?: SeqRanges;
}

/** A document as ingest makes it of a few seconds of one machine: telemetry once a second, every seventh event a state. */
export function liveBlock(options: LiveBlock): NewDocument {
  const { machineId, firstSeq, events, signals = 4, epoch = "e", deviceId = "box", admitted } = options;
  const run = Array.from({ length: events }, (_, i) => eventOf({ epoch, machineId, seq: firstSeq + i }, signals));
  const bytes = encodeBlock(run, NO_HASH);
  const origin: Origin = { factoryId: "redmond", deviceId, enqueuedMs: run.at(-1)?.timeMs ?? 0 };
  return blockDocument(bytes, decodeBlock(bytes), origin, admitted);
}

function eventOf(identity: { epoch: string; machineId: string; seq: number }, signals: number): StoredEvent {
  const { seq } = identity;
  const timeMs = 1_700_000_000_000 + seq * 1_000;
  const common = { ...identity, offset: seq * 3, timeMs, entityId: `entity-${seq % 5}` };
  if (seq % 7 === 3) return { ...common, type: "state", data: { state: `running-${seq}` } };
  const samples = Array.from({ length: signals }, (_, s) => ({
    signal: `s${s}`,
    value: s === 3 ? `text ${seq % 4}` : Math.round(Math.sin(seq / (s + 3)) * 1_000) / 10,
    statusCode: seq % 50 === 0 ? 0x8000_0000 : 0,
    sourceTimestampMs: timeMs - s,
    serverTimestampMs: null,
    receivedTimestampMs: timeMs,
  }));
  return { ...common, type: "telemetry", data: { samples } };
}

/** Stores documents of one machine, each in a transaction of its own. */
export async function storeBlocks(store: EventStore, blocks: readonly LiveBlock[]): Promise<void> {
  const transactions = blocks.map((block) => ({
    partition: partitionOf({ epoch: "e", ...block, seq: block.firstSeq }),
    operations: [{ op: "create" as const, document: liveBlock(block) }],
  }));
  const results = await store.commit("telemetry", transactions, NEVER);
  const failed = results.find(({ status }) => status !== "done");
  if (failed !== undefined) throw new Error(`a block is ${failed.status}`);
}

/** What counts of a document, an event a line. */
export function countedEvents(document: StoredDocument): string[] {
  return readTelemetryDocument(document)
    .events()
    .map((event) => `${event.machineId} ${String(event.seq).padStart(6, "0")} ${JSON.stringify(event)}`);
}
