import type { IConnectPacket } from "mqtt-packet";
import { authorizeCertificate, authorizeIdentity, type ClientCertificate, type Grant } from "../authorize.ts";
import { HubError } from "../hub-error.ts";
import type { Hub, Identity } from "../ports.ts";
import { type PublishTopic, publishTopicOf } from "./topics.ts";

/** MQTT 3.1.1, 3.2.2.3. */
export const CONNACK = {
  accepted: 0,
  protocolVersion: 1,
  identifier: 2,
  unavailable: 3,
  userName: 4,
  notAuthorized: 5,
} as const;

/** IoT Hub's longest, which also stands for "never". */
const KEEPALIVE_SECONDS_MAX = 1_767;
/** A client is late from here on (MQTT 3.1.1, 3.1.2.10). */
const KEEPALIVE_FACTOR = 1.5;

export interface ConnectRequest {
  readonly identity: Identity;
  readonly grant: Grant;
  /** Proves it once more, by what was shown. @throws HubError Unauthorized */
  readonly prove: () => Grant;
  readonly clean: boolean;
  readonly silenceMsMax: number;
  /** An event that is sent when the client goes without a word. */
  readonly will: (Extract<PublishTopic, { kind: "event" }> & { readonly body: Buffer }) | undefined;
}

export interface Refused {
  readonly returnCode: number;
  readonly reason: string;
}

/** Reads a CONNECT and proves who it is from. */
export function readConnect(
  hub: Hub,
  packet: IConnectPacket,
  certificate: ClientCertificate | undefined,
): ConnectRequest | Refused {
  if (packet.protocolId !== "MQTT" || packet.protocolVersion !== 4) {
    return { returnCode: CONNACK.protocolVersion, reason: "only MQTT 3.1.1 is spoken" };
  }
  const identity = identityOf(packet.username ?? "");
  if (identity === undefined) return { returnCode: CONNACK.userName, reason: "the user name is malformed" };
  const { deviceId, moduleId } = identity;
  if (packet.clientId !== (moduleId === undefined ? deviceId : `${deviceId}/${moduleId}`)) {
    return { returnCode: CONNACK.identifier, reason: "the client id is not that of the user name" };
  }
  const will = willOf(packet, identity);
  if (will === "refused") return { returnCode: CONNACK.notAuthorized, reason: "the will is not an event of its own" };
  const password = packet.password?.toString("utf8") ?? "";
  const prove = (): Grant =>
    password === "" ? authorizeCertificate(hub, identity, certificate) : authorizeIdentity(hub, identity, password);
  try {
    const grant = prove();
    const keepaliveSeconds =
      packet.keepalive === 0 ? KEEPALIVE_SECONDS_MAX : (packet.keepalive ?? KEEPALIVE_SECONDS_MAX);
    const silenceMsMax = Math.min(keepaliveSeconds, KEEPALIVE_SECONDS_MAX) * 1_000 * KEEPALIVE_FACTOR;
    return { identity, grant, prove, clean: packet.clean ?? true, silenceMsMax, will };
  } catch (error) {
    if (error instanceof HubError) return { returnCode: CONNACK.notAuthorized, reason: error.message };
    throw error;
  }
}

/**
 * "host/device[/module]/?api-version=…&DeviceClientType=…"; older clients write the last part without the "?", or not at
 * all. Ids have no "/" in them, but may have a "?" and a "=".
 */
function identityOf(username: string): Identity | undefined {
  const path = username.replace(/(?:\/\?|[/?](?=(?:api-version|DeviceClientType)=)).*$/s, "").replace(/\/$/, "");
  const [host, deviceId, moduleId, ...more] = path.split("/");
  if (host === "" || !deviceId || moduleId === "" || more.length > 0) return undefined;
  return moduleId === undefined ? { deviceId } : { deviceId, moduleId };
}

function willOf({ will }: IConnectPacket, identity: Identity): ConnectRequest["will"] | "refused" {
  if (will === undefined) return undefined;
  const topic = publishTopicOf(will.topic, identity);
  if (topic?.kind !== "event" || will.qos === 2) return "refused";
  const body = typeof will.payload === "string" ? Buffer.from(will.payload) : will.payload;
  return { ...topic, properties: { ...topic.properties, "iothub-MessageType": "Will" }, body };
}
