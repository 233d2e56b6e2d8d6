import type { JsonObject, JsonValue, StoredEvent } from "../../contract/event.ts";
import type { DocumentFields } from "../../store/telemetry-document.ts";
import type { Change } from "../projection.ts";
import { plainText } from "../sql/literals.ts";

/** An event of a document, with what the hub said of it. */
export interface FeedEvent {
  readonly event: StoredEvent;
  readonly fields: DocumentFields;
  /** Who said it: the box, or the cloud's own models. */
  readonly scoredBy: "edge" | "cloud";
}

/** Events of some types, all that are not telemetry when none is named. */
export function rareEventsOf(changes: readonly Change[], type?: StoredEvent["type"]): FeedEvent[] {
  const found: FeedEvent[] = [];
  for (const { container, telemetry } of changes) {
    if (telemetry === undefined) continue;
    for (const event of telemetry.rareEvents()) {
      if (type !== undefined && event.type !== type) continue;
      found.push({ event, fields: telemetry.fields, scoredBy: container === "scored_telemetry" ? "cloud" : "edge" });
    }
  }
  return found;
}

/** The identity of an event, as the column `id` has it: without the machine, which stands beside it. */
export function idOf({ epoch, seq }: Pick<StoredEvent, "epoch" | "seq">): string {
  return `${plainText(epoch)}/${seq}`;
}

/** Lenient readers of data that models of any version have made. */
export function textIn(data: JsonObject, ...names: readonly string[]): string | null {
  for (const name of names) {
    const value = data[name];
    if (typeof value === "string") return plainText(value);
  }
  return null;
}

export function numberIn(data: JsonObject, name: string): number | null {
  const value = data[name];
  return typeof value === "number" && Number.isFinite(value) ? value : null;
}

export function objectIn(data: JsonObject, name: string): JsonObject {
  const value: JsonValue | undefined = data[name];
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as JsonObject) : {};
}

/** Of what was said twice under one key, once: PostgreSQL takes a row of a statement once. */
export function once<T>(rows: readonly T[], keyOf: (row: T) => string): T[] {
  return [...new Map(rows.map((row) => [keyOf(row), row])).values()];
}
