import type { JsonObject } from "../../contract/event.ts";
import { instant, jsonLiteral, plainText } from "../sql/literals.ts";
import { type FeedEvent, idOf, textIn } from "./rare-rows.ts";

/** What one event says of an alarm. */
export interface AlarmFact {
  readonly machineId: string;
  readonly id: string;
  readonly alarmId: string;
  readonly epoch: string;
  readonly seq: number;
  readonly at: string;
  readonly atMs: number;
  /** No later than the hub took it, UTC epoch ms. */
  readonly keyMs: number;
  readonly factoryId: string;
  readonly source: string;
  readonly signal: string | null;
  readonly priority: string;
  readonly state: string;
  readonly raises: boolean;
  readonly message: string;
  readonly acknowledgedBy: string | null;
  /** JSON. */
  readonly data: string;
}

/** The state of an alarm whose maker knows no states: it was raised, and nobody has said that he saw it. */
const RAISED = "unacknowledged";
const RAISING: ReadonlySet<string> = new Set([RAISED, "latched"]);

/**
 * Reads the data of an alarm as any version makes it: {source, what, severity, message, signal?} of the log and what else there is, and
 * {alarmId, state, priority, acknowledgedBy, …} of alarms that have ISA-18.2 states. Without an id of its own, an alarm is what has the
 * same source, what and signal.
 */
export function alarmFactOf({ event, fields }: FeedEvent): AlarmFact {
  const data = event.data as JsonObject;
  const source = textIn(data, "source") ?? "";
  const signal = textIn(data, "signal");
  const state = textIn(data, "state") ?? RAISED;
  const named = [source, textIn(data, "what", "kind", "type") ?? "", ...(signal === null ? [] : [signal])];
  return {
    machineId: event.machineId,
    id: idOf(event),
    alarmId: textIn(data, "alarmId", "id") ?? named.map(encodeURIComponent).join("/"),
    epoch: plainText(event.epoch),
    seq: event.seq,
    at: instant(event.timeMs),
    atMs: event.timeMs,
    keyMs: Math.min(event.timeMs, fields.enqueuedMs),
    factoryId: plainText(fields.factoryId),
    source,
    signal,
    priority: textIn(data, "priority", "severity") ?? "medium",
    state,
    raises: RAISING.has(state),
    message: textIn(data, "message", "text") ?? textIn(data, "what") ?? "",
    acknowledgedBy: textIn(data, "acknowledgedBy", "by"),
    data: jsonLiteral(data),
  };
}
