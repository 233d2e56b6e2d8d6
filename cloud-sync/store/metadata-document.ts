import type { JsonObject } from "../contract/event.ts";
import type { Partition } from "./event-store.ts";

/**
 * Documents of the container metadata. Each entity has a partition: its events, one document each, and its state, which the newest event
 * made and which is replaced in the same transaction; so the state's etag is what If-Match compares. Deleting is an event like others:
 * the state stays, marked.
 */
export const METADATA_KINDS = ["factory", "machine", "criterion", "note", "work-order"] as const;
export type MetadataKind = (typeof METADATA_KINDS)[number];

export function metadataPartition(kind: MetadataKind, id: string): Partition {
  return { stream: `${kind}/${id}`, part: "" };
}

/** id "state", kind "state". */
export interface MetadataState {
  readonly kind: MetadataKind;
  readonly id: string;
  /** Of what it is about; "" for nothing. */
  readonly factoryId: string;
  readonly machineId: string;
  /** 1 after the first event. */
  readonly version: number;
  readonly deleted: boolean;
  readonly data: JsonObject;
  readonly createdAt: string;
  readonly createdBy: string;
  readonly changedAt: string;
  readonly changedBy: string;
}

/** id "event-" + the version with 12 digits, kind "event". `data` is the whole state after it. */
export interface MetadataEvent {
  readonly kind: MetadataKind;
  readonly id: string;
  readonly version: number;
  /** Factory Created, Machine Updated, Work Order Deleted, … */
  readonly eventType: string;
  /** ISO 8601, UTC. */
  readonly at: string;
  readonly author: string;
  readonly data: JsonObject;
}
