import { type Static, Type } from "typebox";
import { DEFAULTS } from "./defaults.ts";
import { DATA_TYPES } from "./model.ts";
import { closed, DAY_MS, milliseconds, text } from "./schema-parts.ts";
import { UplinkSchema } from "./uplink-schema.ts";

/**
 * The shape of tailstock.yaml: its types, ranges, defaults and documentation in one place. `title` of a union says in a
 * person's words what is expected there. What a shape can't say (references, widths, protocols) the builders check.
 */
function zeroBased(table: string) {
  return Type.Optional(
    Type.Integer({ minimum: 0, maximum: 65_535, description: `${table}: zero-based PDU address of the first one.` }),
  );
}

const signalKeys = {
  node: Type.Optional(text('OPC UA node id: "ns=2;s=…", "nsu=http://…;i=…"; variables in dollar braces are replaced.')),
  path: Type.Optional(
    text('OPC UA browse path: "/Objects/2:Mill/Speed", in place of node; variables in dollar braces are replaced.'),
  ),
  index: Type.Optional(
    Type.Integer({ minimum: 0, maximum: 1_000_000, description: "One element of an array, from 0." }),
  ),
  mode: Type.Optional(
    Type.Enum(["subscribe", "poll"], {
      default: DEFAULTS.opcuaSignal.mode,
      description: "Whether the server reports changes or the box asks for them.",
    }),
  ),
  samplingIntervalMs: milliseconds(
    0,
    DAY_MS,
    "How often the value is sampled",
    DEFAULTS.opcuaSignal.samplingIntervalMs,
  ),
  queueSize: Type.Optional(
    Type.Integer({
      minimum: 1,
      maximum: 10_000,
      default: DEFAULTS.opcuaSignal.queueSize,
      description: "Samples that the server keeps between two publications.",
    }),
  ),
  discardOldest: Type.Optional(
    Type.Boolean({
      default: DEFAULTS.opcuaSignal.discardOldest,
      description: "Whether a full queue loses its oldest sample, or its newest.",
    }),
  ),
  deadband: Type.Optional(
    Type.Union([Type.Number({ minimum: 0 }), Type.String({ pattern: "^\\s*[0-9]+(\\.[0-9]+)?\\s*%$" })], {
      title: "a number in the signal's unit, or a percentage of its range such as 1%",
      description: "Changes smaller than this are not reported.",
    }),
  ),
  holding: zeroBased("Holding register (function code 3)"),
  input: zeroBased("Input register (function code 4)"),
  coil: zeroBased("Coil (function code 1)"),
  discrete: zeroBased("Discrete input (function code 2)"),
  reference: Type.Optional(
    Type.Union([Type.String({ pattern: "^[0-9]+$" }), Type.Integer({ minimum: 0 })], {
      title: 'a one-based register reference in quotes such as "40001" or "400001"',
      description: "Modbus register in the notation of manuals: table digit and one-based number.",
    }),
  ),
  bit: Type.Optional(
    Type.Integer({ minimum: 0, maximum: 15, description: "One bit of a register, 0 is the least significant." }),
  ),
  lengthBytes: Type.Optional(Type.Integer({ minimum: 1, maximum: 250, description: "Length of a Modbus string." })),
  order: Type.Optional(
    Type.Enum(["ABCD", "CDAB", "BADC", "DCBA"], {
      default: DEFAULTS.modbusSignal.order,
      description: "Byte order of a 32 bit value as it arrives, A the most significant; 64 bits likewise by register.",
    }),
  ),
  byteOrder: Type.Optional(
    Type.Enum(["big", "little"], { description: "Bytes within a register, in place of order." }),
  ),
  wordOrder: Type.Optional(
    Type.Enum(["big", "little"], { description: "Registers within a value, in place of order." }),
  ),
  pollIntervalMs: milliseconds(10, DAY_MS, "How often a Modbus signal is read", DEFAULTS.modbusSignal.pollIntervalMs),
  type: Type.Optional(
    Type.Enum([...DATA_TYPES], {
      description: "Data type; OPC UA servers say it themselves, a Modbus register is uint16 unless told.",
    }),
  ),
  unit: Type.Optional(Type.String({ maxLength: 32, description: "Symbol of the unit: °C, bar, rpm." })),
  title: Type.Optional(text("What a person calls it.", 200)),
  key: Type.Optional(Type.Boolean({ default: false, description: "Shown among the key values of the machine." })),
  scale: Type.Optional(Type.Number({ default: 1, description: "Factor from the raw value to the unit." })),
  offset: Type.Optional(Type.Number({ default: 0, description: "Added after the factor." })),
};

const SignalKeysSchema = Type.Object(signalKeys, closed);
const SignalSchema = Type.Union([text("An OPC UA node id alone."), SignalKeysSchema], {
  title: "an OPC UA node id in quotes, or a map of keys",
});
const SignalsSchema = Type.Record(Type.String(), SignalSchema, {
  maxProperties: 10_000,
  description: "Signals by name: letters, digits, dot, underscore and hyphen.",
});

const SecuritySchema = Type.Union(
  [
    Type.Enum(["none"]),
    Type.Object(
      {
        mode: Type.Optional(
          Type.Enum(["none", "sign", "sign-and-encrypt"], { default: DEFAULTS.opcuaConnection.mode }),
        ),
        policy: Type.Optional(
          Type.Enum(
            [
              "auto",
              "Basic256Sha256",
              "Aes128_Sha256_RsaOaep",
              "Aes256_Sha256_RsaPss",
              "Basic128Rsa15",
              "Basic256",
              "None",
            ],
            {
              default: DEFAULTS.opcuaConnection.policy,
              description: "auto takes the strongest that the server offers.",
            },
          ),
        ),
        trust: Type.Optional(
          Type.Enum(["explicit", "first-use", "any"], {
            default: DEFAULTS.opcuaConnection.trust,
            description: "Which server certificates are accepted.",
          }),
        ),
      },
      closed,
    ),
  ],
  { title: "none, or a map of mode, policy and trust", description: "Security of an OPC UA connection." },
);

const IdentitySchema = Type.Union(
  [
    Type.Enum(["anonymous"]),
    Type.Object(
      {
        username: Type.Optional(text("User name at the server.", 256)),
        passwordFile: Type.Optional(text("File that holds the password and nothing else, relative to this file.")),
        certificate: Type.Optional(text("User certificate (PEM or DER), relative to this file.")),
        privateKey: Type.Optional(text("Private key of the certificate, relative to this file.")),
      },
      closed,
    ),
  ],
  {
    title: "anonymous, {username, passwordFile} or {certificate, privateKey}",
    description: "Who this box is at an OPC UA server.",
  },
);

const settingKeys = {
  security: Type.Optional(SecuritySchema),
  identity: Type.Optional(IdentitySchema),
  publishingIntervalMs: milliseconds(
    10,
    3_600_000,
    "OPC UA publishing interval",
    DEFAULTS.opcuaConnection.publishingIntervalMs,
  ),
  connectTimeoutMs: milliseconds(
    100,
    600_000,
    "Time for an OPC UA connection",
    DEFAULTS.opcuaConnection.connectTimeoutMs,
  ),
  requestTimeoutMs: milliseconds(100, 600_000, "Time for an OPC UA answer", DEFAULTS.opcuaConnection.requestTimeoutMs),
  staleAfterMs: milliseconds(
    100,
    DAY_MS,
    "Silence after which signals are not Good",
    DEFAULTS.opcuaConnection.staleAfterMs,
  ),
  timeoutMs: milliseconds(10, 60_000, "Time for a Modbus answer", DEFAULTS.modbusConnection.timeoutMs),
  retries: Type.Optional(
    Type.Integer({
      minimum: 0,
      maximum: 10,
      default: DEFAULTS.modbusConnection.retries,
      description: "Further tries of a Modbus read.",
    }),
  ),
  pauseMs: milliseconds(0, 10_000, "Pause between two Modbus requests", DEFAULTS.modbusConnection.pauseMs),
  breaker: Type.Optional(
    Type.Object(
      {
        failures: Type.Optional(
          Type.Integer({ minimum: 1, maximum: 1_000, default: DEFAULTS.modbusConnection.breakerFailures }),
        ),
        openMs: milliseconds(100, 3_600_000, "Rest of a unit that failed", DEFAULTS.modbusConnection.breakerOpenMs),
      },
      { ...closed, description: "After so many failures in a row a Modbus unit rests." },
    ),
  ),
};

const address = text(
  "opc.tcp://host:port/path, modbus+tcp://host:502, modbus+rtu-tcp://host:port or modbus+rtu:///dev/tty….",
);

const ConnectionSchema = Type.Object({ address, ...settingKeys }, closed);

const MachineTypeSchema = Type.Object(
  {
    protocol: Type.Enum(["opcua", "modbus"]),
    defaults: Type.Optional(SignalKeysSchema),
    signals: SignalsSchema,
  },
  closed,
);

const MachineSchema = Type.Object(
  {
    type: Type.Optional(text("A name under machineTypes.", 64)),
    connection: Type.Optional(text("A name under connections.", 64)),
    address: Type.Optional(address),
    ...settingKeys,
    with: Type.Optional(
      Type.Record(
        Type.String(),
        Type.Union([Type.String({ maxLength: 1024 }), Type.Number(), Type.Boolean()], {
          title: "a text, a number or true/false",
        }),
        { description: "Values of the variables (in dollar braces) of the type's signals." },
      ),
    ),
    unitId: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: 255,
        default: DEFAULTS.modbusMachine.unitId,
        description: "Modbus unit id (also called slave address).",
      }),
    ),
    registersPerReadMax: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 125,
        default: DEFAULTS.modbusMachine.registersPerReadMax,
        description: "Longest read that the device accepts.",
      }),
    ),
    gapRegistersMax: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: 124,
        default: DEFAULTS.modbusMachine.gapRegistersMax,
        description: "Unread registers that may be read along to join two reads.",
      }),
    ),
    signals: Type.Optional(SignalsSchema),
  },
  closed,
);

export const ConfigFileSchema = Type.Object(
  {
    site: text("Name of the site: the first part of every machine's id.", 64),
    log: Type.Optional(
      Type.Object(
        {
          path: Type.Optional(text("The SQLite file, relative to this file.")),
          commitIntervalMs: milliseconds(1, 60_000, "Longest wait for a group commit", DEFAULTS.log.commitIntervalMs),
          sealIntervalMs: milliseconds(
            1_000,
            3_600_000,
            "Age at which fresh events are sealed into blocks",
            DEFAULTS.log.sealIntervalMs,
          ),
          quotaMiB: Type.Optional(
            Type.Integer({
              minimum: 64,
              maximum: 16_777_216,
              default: DEFAULTS.log.quotaMiB,
              description: "Most that the log takes of the disk, in MiB; beyond it the oldest readings are thinned.",
            }),
          ),
          maxAgeDays: Type.Optional(
            Type.Integer({
              minimum: 1,
              maximum: 3_650,
              default: DEFAULTS.log.maxAgeDays,
              description: "Days of running after which readings are let go.",
            }),
          ),
        },
        closed,
      ),
    ),
    dashboard: Type.Optional(
      Type.Object(
        {
          enabled: Type.Optional(Type.Boolean({ default: DEFAULTS.dashboard.enabled })),
          host: Type.Optional(text("Address to listen on.", 255)),
          port: Type.Optional(Type.Integer({ minimum: 1, maximum: 65_535, default: DEFAULTS.dashboard.port })),
        },
        closed,
      ),
    ),
    opcua: Type.Optional(
      Type.Object(
        {
          applicationName: Type.Optional(text("How this box calls itself at OPC UA servers.", 128)),
          pkiPath: Type.Optional(text("Folder of certificates, relative to this file.")),
        },
        closed,
      ),
    ),
    uplink: Type.Optional(UplinkSchema),
    units: Type.Optional(
      Type.Array(text("A unit of one's own.", 32), { maxItems: 1_000, description: "Units beside the known ones." }),
    ),
    connections: Type.Optional(Type.Record(Type.String(), ConnectionSchema, { maxProperties: 10_000 })),
    machineTypes: Type.Optional(Type.Record(Type.String(), MachineTypeSchema, { maxProperties: 1_000 })),
    machines: Type.Record(Type.String(), MachineSchema, { minProperties: 1, maxProperties: 10_000 }),
  },
  { ...closed, title: "Tailstock configuration" },
);

export type ConfigFile = Static<typeof ConfigFileSchema>;
export type ConnectionFile = Static<typeof ConnectionSchema>;
export type MachineFile = Static<typeof MachineSchema>;
export type MachineTypeFile = Static<typeof MachineTypeSchema>;
export type SignalFile = Static<typeof SignalSchema>;
export type SignalKeys = Static<typeof SignalKeysSchema>;
export type SettingKeys = Pick<MachineFile, keyof typeof settingKeys>;
export type SecurityFile = Static<typeof SecuritySchema>;
export type IdentityFile = Static<typeof IdentitySchema>;

/** The file's shape as a JSON Schema (draft 2020-12), for editors that complete and check YAML. */
export function configJsonSchema(): Record<string, unknown> {
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    ...(JSON.parse(JSON.stringify(ConfigFileSchema)) as Record<string, unknown>),
  };
}
