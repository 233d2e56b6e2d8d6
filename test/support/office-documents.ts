import type { JsonObject } from "../../cloud-sync/contract/event.ts";
import type { EventStore, Operation } from "../../cloud-sync/store/event-store.ts";
import { type MetadataKind, type MetadataState, metadataPartition } from "../../cloud-sync/store/metadata-document.ts";
import { partitionOf } from "../../cloud-sync/store/telemetry-document.ts";
import { eventsDocument } from "../../cloud-sync/store/write-telemetry.ts";

const { signal } = new AbortController();

/** Writes an entity's next version as the command service does: its state, and the event that made it. */
export async function putMetadata(
  store: EventStore,
  kind: MetadataKind,
  id: string,
  factoryId: string,
  data: JsonObject,
): Promise<void> {
  const partition = metadataPartition(kind, id);
  const [before] = await store.get("metadata", [{ partition, id: "state" }], signal);
  const version = ((before?.fields.version as number | undefined) ?? 0) + 1;
  const at = "2026-06-01T12:00:00.000Z";
  const who = { createdAt: at, createdBy: "ada", changedAt: at, changedBy: "grace" };
  const state: MetadataState = { kind, id, factoryId, machineId: "", version, deleted: false, data, ...who };
  const event = { kind, id, version, eventType: "Changed", at, author: "grace", data };
  const document = { id: "state", kind: "state", fields: { ...state } };
  const operations: Operation[] = [
    { op: "create", document: { id: `event-${String(version).padStart(12, "0")}`, kind: "event", fields: event } },
    before === undefined ? { op: "create", document } : { op: "replace", document, etag: before.etag },
  ];
  await store.commit("metadata", [{ partition, operations }], signal);
}

/** A score of the cloud's own model for one event of a machine. */
export async function putScore(store: EventStore, factoryId: string, machineId: string, seq: number): Promise<void> {
  const timeMs = 1_780_000_000_000 + seq * 1_000;
  const epoch = "score:maintenance@3/e";
  const identity = { epoch, machineId, seq, offset: 0, entityId: `e/${machineId}/${seq}` };
  const event = { ...identity, type: "prediction", timeMs, data: { requirement: "none", n: seq } } as const;
  const document = eventsDocument([event], { factoryId, deviceId: "", enqueuedMs: timeMs });
  const operations: Operation[] = [{ op: "create", document }];
  await store.commit("scored_telemetry", [{ partition: partitionOf(event), operations }], signal);
}
