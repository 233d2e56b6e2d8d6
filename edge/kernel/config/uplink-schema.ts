import { type Static, Type } from "typebox";
import { DEFAULTS } from "./defaults.ts";
import { UPLINK_COMMANDS } from "./model.ts";
import { closed, milliseconds, text } from "./schema-parts.ts";

/** Keys of `uplink:`; which of them make an identity together, uplink.ts says. */
export const UplinkSchema = Type.Object(
  {
    connectionStringFile: Type.Optional(
      text("File that holds the connection string of this box at the hub and nothing else, relative to this file."),
    ),
    host: Type.Optional(text('The hub\'s name, "hub.azure-devices.net", for a box with a certificate.', 255)),
    device: Type.Optional(text("The box's device id at the hub, for a box with a certificate.", 128)),
    certificate: Type.Optional(
      text("The box's certificate (PEM, with its intermediate ones after it), relative to this file."),
    ),
    privateKey: Type.Optional(text("Private key of the certificate (PEM, no passphrase), relative to this file.")),
    identity: Type.Optional(
      Type.Enum(["iot-edge"], { description: "Who this box is comes from the IoT Edge runtime that started it." }),
    ),
    ca: Type.Optional(
      text("Certificates (PEM) that the hub is proved by, in place of the known authorities; relative to this file."),
    ),
    transport: Type.Optional(
      Type.Enum(["mqtt", "mqtt-ws"], {
        default: DEFAULTS.uplink.transport,
        description: "mqtt: port 8883. mqtt-ws: the same inside a WebSocket on port 443, which more firewalls let out.",
      }),
    ),
    latencyMs: milliseconds(
      100,
      3_600_000,
      "How long live readings are gathered into one message",
      DEFAULTS.uplink.latencyMs,
    ),
    latencyMsMax: milliseconds(
      100,
      3_600_000,
      "How far the daily budget may stretch latencyMs",
      DEFAULTS.uplink.latencyMsMax,
    ),
    bytesPerSecondMax: Type.Optional(
      Type.Integer({
        minimum: 1_000,
        maximum: 10_000_000_000,
        description: "Most that catching up takes of the line, in bytes a second. No limit when left out.",
      }),
    ),
    unitsPerDayMax: Type.Optional(
      Type.Integer({
        minimum: 1_000,
        maximum: 1_000_000_000,
        description: "Units of 4 KB that may be used a UTC day (an S1 hub has 400000). No budget when left out.",
      }),
    ),
    windowMessages: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 1_000,
        default: DEFAULTS.uplink.windowMessages,
        description: "Messages that may wait for the hub's acknowledgement at once.",
      }),
    ),
    sendTimeoutMs: milliseconds(
      1_000,
      600_000,
      "Time without an acknowledgement after which the line counts as dead",
      DEFAULTS.uplink.sendTimeoutMs,
    ),
    allow: Type.Optional(
      Type.Array(Type.Enum([...UPLINK_COMMANDS]), {
        maxItems: 100,
        description: `Commands that the cloud may give this box; ${DEFAULTS.uplink.allow.join(", ")} when left out.`,
      }),
    ),
  },
  { ...closed, description: "The line to the cloud: an IoT Hub, an IoT Edge gateway, or Tailstock's own hub." },
);

export type UplinkFile = Static<typeof UplinkSchema>;
