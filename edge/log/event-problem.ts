import { EVENT_TYPES, type NewEvent } from "../../cloud-sync/contract/event.ts";

/** What keeps an event from being stored, said in a sentence; undefined when nothing does. */
export function problemOf(events: readonly NewEvent[]): string | undefined {
  for (const { type, machineId, timeMs } of events) {
    if (typeof machineId !== "string" || machineId === "") return "an event has no machine";
    if (typeof timeMs !== "number" || !Number.isFinite(timeMs)) return `an event of ${machineId} has no finite time`;
    if (!EVENT_TYPES.includes(type)) return `an event of ${machineId} has the unknown type ${String(type)}`;
  }
  return undefined;
}
