import type { Command, Identity, Properties, SystemProperties } from "../ports.ts";

/** What a client may publish to. Source: "Communicate with an IoT hub using the MQTT protocol". */
export type PublishTopic =
  | { readonly kind: "event"; readonly properties: Properties; readonly system: SystemProperties }
  | { readonly kind: "twinGet"; readonly requestId: string }
  | { readonly kind: "twinPatch"; readonly requestId: string }
  | { readonly kind: "methodResponse"; readonly requestId: string; readonly status: number };

export const METHODS_FILTER = "$iothub/methods/POST/#";
export const TWIN_RESPONSES_FILTER = "$iothub/twin/res/#";
export const DESIRED_FILTER = "$iothub/twin/PATCH/properties/desired/#";

const SYSTEM_BY_NAME = new Map<string, keyof SystemProperties>(
  Object.entries({
    "$.mid": "messageId",
    "$.cid": "correlationId",
    "$.uid": "userId",
    "$.ct": "contentType",
    "$.ce": "contentEncoding",
    "$.ctime": "creationTimeUtc",
    "$.on": "outputName",
    "$.ifid": "interfaceId",
    "$.sub": "componentName",
  }),
);
/** Addressing and expiry mean nothing on the way up. */
const IGNORED = new Set(["$.to", "$.exp"]);

/** Undefined when the topic is none of the client's: IoT Hub closes the connection then. */
export function publishTopicOf(topic: string, identity: Identity): PublishTopic | undefined {
  for (const path of pathsOf(identity)) {
    const events = `${path}/messages/events`;
    if (topic === events || topic.startsWith(`${events}/`)) return eventTopicOf(topic.slice(events.length + 1));
  }
  const question = topic.indexOf("?");
  const requestId = question < 0 ? undefined : requestIdOf(topic.slice(question + 1));
  if (requestId === undefined) return undefined;
  const path = topic.slice(0, question).replace(/\/$/, "");
  if (path === "$iothub/twin/GET") return { kind: "twinGet", requestId };
  if (path === "$iothub/twin/PATCH/properties/reported") return { kind: "twinPatch", requestId };
  const status = /^\$iothub\/methods\/res\/(-?\d{1,9})$/.exec(path)?.[1];
  return status === undefined ? undefined : { kind: "methodResponse", requestId, status: Number(status) };
}

/** The forms in which a device may subscribe to its cloud-to-device messages. */
export function commandsFilters(identity: Identity): string[] {
  return pathsOf(identity).map((path) => `${path}/messages/devicebound/#`);
}

/** Whether a client may subscribe to it. */
export function isSubscribable(filter: string, identity: Identity): boolean {
  if (filter === METHODS_FILTER || filter === TWIN_RESPONSES_FILTER || filter === DESIRED_FILTER) return true;
  if (identity.moduleId === undefined) return commandsFilters(identity).includes(filter);
  return pathsOf(identity).some((path) => filter === `${path}/inputs/#` || filter === `${path}/#`);
}

/** The topic of a cloud-to-device message, its properties in it. @param filter what the device subscribed to */
export function commandTopic({ deviceId, system, properties, ack }: Command, filter: string): string {
  const pairs: [string, string | undefined][] = [
    ["$.mid", system.messageId],
    ["$.to", `/devices/${deviceId}/messages/deviceBound`],
    ["$.exp", system.expiryTimeUtc],
    ["$.cid", system.correlationId],
    ["$.uid", system.userId],
    ["$.ct", system.contentType],
    ["$.ce", system.contentEncoding],
    ["iothub-ack", ack === "none" ? undefined : ack],
    ...Object.entries(properties),
  ];
  const bag = pairs.flatMap(([name, value]) => (value === undefined ? [] : [`${encoded(name)}=${encoded(value)}`]));
  return filter.slice(0, -1) + bag.join("&");
}

/** Some clients write ids into topics as they are, some URL-encoded: all signs but letters, digits and `-._~`, or fewer. */
function pathsOf({ deviceId, moduleId }: Identity): string[] {
  const forms = [(id: string) => id, encodeURIComponent, encodedWhole].map((form) =>
    moduleId === undefined ? `devices/${form(deviceId)}` : `devices/${form(deviceId)}/modules/${form(moduleId)}`,
  );
  return [...new Set(forms)];
}

function encodedWhole(id: string): string {
  return encodeURIComponent(id).replaceAll(/[!'()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`);
}

function requestIdOf(query: string): string | undefined {
  const pair = query.split("&").find((each) => each.startsWith("$rid="));
  const requestId = pair?.slice("$rid=".length);
  return requestId === "" ? undefined : requestId;
}

/** A property bag, URL-encoded; the SDK ends that of an output with a slash. */
function eventTopicOf(bag: string): PublishTopic | undefined {
  const properties: Record<string, string> = Object.create(null) as Record<string, string>;
  const system: { -readonly [name in keyof SystemProperties]: string } = {};
  for (const pair of bag.replace(/\/$/, "").replace(/^\?/, "").split("&")) {
    if (pair === "") continue;
    const equals = pair.indexOf("=");
    const name = decoded(equals < 0 ? pair : pair.slice(0, equals));
    const value = decoded(equals < 0 ? "" : pair.slice(equals + 1));
    if (name === undefined || value === undefined) return undefined;
    const systemName = SYSTEM_BY_NAME.get(name);
    if (systemName !== undefined) system[systemName] = value;
    else if (!IGNORED.has(name)) properties[name] = value;
  }
  return { kind: "event", properties, system };
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

function encoded(text: string): string {
  return encodeURIComponent(text.toWellFormed());
}
