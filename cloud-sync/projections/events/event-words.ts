import type { JsonObject, StoredEvent } from "../../contract/event.ts";
import { textIn } from "./rare-rows.ts";

const WORDS: Readonly<Record<StoredEvent["type"], string>> = {
  telemetry: "Telemetry Ingest",
  anomaly: "Anomaly",
  prediction: "Maintenance Prediction",
  aggregate: "Telemetry Aggregate",
  alarm: "Alarm",
  state: "State Change",
  connection: "Connection Change",
  command: "Command",
  config: "Configuration Change",
  job: "Job",
  gap: "Telemetry Gap",
};

/** event_type in the customer's words: Telemetry Ingest, Maintenance Prediction, Spike Anomaly; of an unknown kind Temperature Anomaly. */
export function eventWordOf({ type, data }: StoredEvent): string {
  if (type !== "anomaly") return WORDS[type];
  const word = textIn(data as JsonObject, "kind") ?? textIn(data as JsonObject, "signal");
  return word === null || word === "" ? WORDS.anomaly : `${titled(word)} ${WORDS.anomaly}`;
}

function titled(word: string): string {
  return word.slice(0, 1).toUpperCase() + word.slice(1);
}

/** event_data: what the event says; of telemetry the value of each signal by its name. */
export function eventDataOf(event: StoredEvent): unknown {
  if (event.type !== "telemetry") return event.data;
  return Object.fromEntries(event.data.samples.map(({ signal, value }) => [signal, value]));
}
