import { decodeBlock } from "../../cloud-sync/contract/block/block.ts";
import { encodeBlock } from "../../cloud-sync/contract/block/block-builder.ts";
import type { StoredEvent } from "../../cloud-sync/contract/event.ts";
import type { EventStore, NewDocument } from "../../cloud-sync/store/event-store.ts";
import { partitionOf } from "../../cloud-sync/store/telemetry-document.ts";
import { blockDocument, eventsDocuments, type Origin } from "../../cloud-sync/store/write-telemetry.ts";
import { normal, uniform } from "./block-samples.ts";
import { sampleOf } from "./events.ts";

export const PRESS_START_MS = Date.parse("2026-03-01T08:00:07Z");
export const PRESS_EPOCH = "0198a9c2-7f11-7000-8000-00000000aaaa";
const ORIGIN: Origin = { factoryId: "redmond", deviceId: "box-1", enqueuedMs: PRESS_START_MS + 5_000 };

export interface PressWish {
  readonly seed?: number;
  readonly epoch?: string;
  readonly firstSeq?: number;
  /** Changes a second's readings: by the index of the event. */
  readonly alter?: (index: number, reading: { pressure: number; temperature: number }) => void;
}

/** A press as the lab describes it, one event a second from PRESS_START_MS on, with a third signal that nobody scores. */
export function pressStream(
  machineId: string,
  count: number,
  { seed = 1, epoch = PRESS_EPOCH, firstSeq = 1, alter }: PressWish = {},
): StoredEvent[] {
  const next = uniform(seed);
  return Array.from({ length: count }, (_, i): StoredEvent => {
    const reading = { pressure: 7539 + 14 * normal(next), temperature: 55 + 2.4 * normal(next) };
    alter?.(i, reading);
    const seq = firstSeq + i;
    const timeMs = PRESS_START_MS + (seq - 1) * 1000;
    const times = { sourceTimestampMs: null, serverTimestampMs: null, receivedTimestampMs: timeMs };
    return {
      type: "telemetry",
      epoch,
      machineId,
      seq,
      offset: seq * 3,
      timeMs,
      entityId: seq % 50 === 0 ? `entity-${machineId}-${seq}` : `${epoch}/${machineId}/${seq}`,
      data: {
        samples: [
          sampleOf("strokes", seq * 2, times),
          sampleOf("machinePressure", reading.pressure, times),
          sampleOf("machineTemperature", reading.temperature, times),
        ],
      },
    };
  });
}

/** An event of the edge's own model, or another that is no telemetry. */
export function rareEvent(
  machineId: string,
  seq: number,
  type: "prediction" | "alarm" | "config",
  data: object,
): StoredEvent {
  const identity = { epoch: PRESS_EPOCH, machineId, seq, offset: seq * 3, timeMs: PRESS_START_MS + (seq - 1) * 1000 };
  return { ...identity, entityId: `${PRESS_EPOCH}/${machineId}/${seq}`, type, data: { ...data } } as StoredEvent;
}

/** Blocks of so many events. */
export function blocksOf(events: readonly StoredEvent[], each: number): NewDocument[] {
  const documents: NewDocument[] = [];
  for (let from = 0; from < events.length; from += each) {
    const bytes = encodeBlock(events.slice(from, from + each), new Uint8Array(16));
    documents.push(blockDocument(bytes, decodeBlock(bytes), ORIGIN));
  }
  return documents;
}

export function jsonOf(events: readonly StoredEvent[]): NewDocument[] {
  return eventsDocuments(events, ORIGIN);
}

/** Each document in its turn, as ingest would. */
export async function store(target: EventStore, documents: readonly NewDocument[]): Promise<void> {
  for (const document of documents) {
    const { epoch, machineId, firstSeq } = document.fields as { epoch: string; machineId: string; firstSeq: number };
    const partition = partitionOf({ epoch, machineId, seq: firstSeq });
    const [result] = await target.commit(
      "telemetry",
      [{ partition, operations: [{ op: "create", document }] }],
      new AbortController().signal,
    );
    if (result?.status !== "done") throw new Error(`not stored: ${result?.status}`);
  }
}
