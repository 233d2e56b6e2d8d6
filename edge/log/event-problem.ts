import { EVENT_TYPES, type NewEvent } from "../../cloud-sync/contract/event.ts";
import { largeBytesOf } from "../../cloud-sync/contract/sample.ts";

/** Texts, arrays and data of one event, at most: with it a block still fits into one message of a hub. */
export const EVENT_BYTES_MAX = 144 * 1024;
const SAMPLES_MAX = 200_000;

/** What keeps an event from being stored, said in a sentence; undefined when nothing does. */
export function problemOf(events: readonly NewEvent[]): string | undefined {
  for (const event of events) {
    const { type, machineId, timeMs } = event;
    if (typeof machineId !== "string" || machineId === "") return "an event has no machine";
    if (typeof timeMs !== "number" || !Number.isFinite(timeMs)) return `an event of ${machineId} has no finite time`;
    if (!EVENT_TYPES.includes(type)) return `an event of ${machineId} has the unknown type ${String(type)}`;
    const bytes = bytesOf(event);
    if (bytes > EVENT_BYTES_MAX)
      return `an event of ${machineId} (${type}) has ${bytes} bytes of texts, arrays and data, more than ${EVENT_BYTES_MAX}`;
    if (event.type === "telemetry" && event.data.samples.length > SAMPLES_MAX)
      return `an event of ${machineId} has ${event.data.samples.length} samples, more than ${SAMPLES_MAX}`;
  }
  return undefined;
}

function bytesOf(event: NewEvent): number {
  if (event.type !== "telemetry") return Buffer.byteLength(JSON.stringify(event.data) ?? "");
  let bytes = 0;
  for (const { value } of event.data.samples)
    if (typeof value !== "number" && typeof value !== "boolean") bytes += largeBytesOf(value);
  return bytes;
}
