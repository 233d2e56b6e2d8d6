import type { ReceivedEventData } from "@azure/event-hubs";
import type { HubMessage } from "./read-message.ts";

/** A message as the client of Event Hubs gives it, in our words. */
export function hubMessageOf(event: ReceivedEventData, hubKey: string, partition: string): HubMessage {
  const system = event.systemProperties ?? {};
  const device = textOf(system["iothub-connection-device-id"]);
  const module = textOf(system["iothub-connection-module-id"]);
  return {
    hubKey,
    partition,
    sequenceNumber: event.sequenceNumber,
    offset: event.offset,
    enqueuedMs: event.enqueuedTimeUtc.getTime(),
    deviceId: module === "" ? device : `${device}/${module}`,
    contentType: event.contentType ?? "",
    body: bytesOf(event.body),
    properties: event.properties ?? {},
    systemProperties: system,
  };
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}

/** Data sections come as bytes; an event put in by a service as a value may be anything. */
function bytesOf(body: unknown): Uint8Array {
  if (body instanceof Uint8Array) return body;
  if (typeof body === "string") return Buffer.from(body);
  return Buffer.from(
    JSON.stringify(body, (_, value: unknown) => (typeof value === "bigint" ? `${value}` : value)) ?? "",
  );
}
