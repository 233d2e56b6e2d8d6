import type { JsonObject } from "../../contract/event.ts";
import type { NewDocument, Partition } from "../../store/event-store.ts";
import { type MetadataEvent, type MetadataState, metadataPartition } from "../../store/metadata-document.ts";
import type { Kind } from "./kinds/kind.ts";

export const STATE_ID = "state";
const VERSION_DIGITS = 12;

export type Verb = "Created" | "Updated" | "Deleted" | "Restored";

export function partitionOf({ kind }: Kind, id: string): Partition {
  return metadataPartition(kind, id);
}

export function stateDocument(state: MetadataState): NewDocument {
  return { id: STATE_ID, kind: "state", fields: state as unknown as JsonObject };
}

export function eventDocument({ label }: Kind, state: MetadataState, verb: Verb): NewDocument {
  const { kind, id, version, changedAt, changedBy, data } = state;
  const event: MetadataEvent = {
    kind,
    id,
    version,
    eventType: `${label} ${verb}`,
    at: changedAt,
    author: changedBy,
    data,
  };
  return {
    id: `event-${String(version).padStart(VERSION_DIGITS, "0")}`,
    kind: "event",
    fields: event as unknown as JsonObject,
  };
}

/** A machine that is gone from the store stays in its factory. */
export function standIn(before: MetadataState | undefined, data: JsonObject): MetadataState | undefined {
  return before !== undefined && before.machineId === data.machineId ? before : undefined;
}
