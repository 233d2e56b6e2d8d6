/**
 * The configuration after parsing, templates and defaults: what the runtime works with. `load.ts` makes it from
 * tailstock.yaml; `schema.ts` is the file's own shape. Everything here is plain data, compared by value on a reload.
 */
export const DATA_TYPES = [
  "boolean",
  "int8",
  "uint8",
  "int16",
  "uint16",
  "int32",
  "uint32",
  "int64",
  "uint64",
  "float32",
  "float64",
  "string",
  "datetime",
] as const;
export type DataType = (typeof DATA_TYPES)[number];

export interface Config {
  /** "redmond": the first part of every machineId ("redmond/mill-07"). */
  readonly site: string;
  readonly log: LogConfig;
  readonly dashboard: DashboardConfig;
  readonly opcua: OpcuaClientConfig;
  /** Undefined: this box has no line to a cloud. */
  readonly uplink?: UplinkConfig;
  readonly connections: readonly Connection[];
}

export interface LogConfig {
  /** Absolute path of the SQLite file. */
  readonly path: string;
  readonly commitIntervalMs: number;
  readonly sealIntervalMs: number;
  readonly quotaBytes: number;
  /** In the log's own running time. */
  readonly maxAgeMs: number;
}

export interface DashboardConfig {
  readonly enabled: boolean;
  readonly host: string;
  readonly port: number;
}

/** The line to the cloud: an IoT Hub, an IoT Edge gateway, or Tailstock's own hub. */
export interface UplinkConfig {
  readonly identity: UplinkIdentity;
  /** Absolute file of the certificate authorities (PEM) that the hub is proved by; undefined: those of Node. */
  readonly caPath: string | undefined;
  readonly transport: "mqtt" | "mqtt-ws";
  /** How long live events are gathered into one message, and to what the daily budget may stretch it. */
  readonly latencyMs: number;
  readonly latencyMsMax: number;
  /** Most that the telemetry lane sends; undefined: no limit. */
  readonly bytesPerSecondMax: number | undefined;
  /** Metered 4 KB units a UTC day; undefined: no budget. */
  readonly unitsPerDayMax: number | undefined;
  /** Messages under way at once. */
  readonly windowMessages: number;
  /** Without an acknowledgement for so long, the line counts as dead. */
  readonly sendTimeoutMs: number;
  /** Commands that the cloud may give this box. */
  readonly allow: readonly UplinkCommand[];
}

export const UPLINK_COMMANDS = ["status", "ping", "resend", "setRate", "applyConfig", "activateModel"] as const;
export type UplinkCommand = (typeof UPLINK_COMMANDS)[number];

export type UplinkIdentity =
  /** File that holds a device's or module's connection string and nothing else. */
  | { readonly kind: "connection-string"; readonly connectionStringPath: string }
  | {
      readonly kind: "x509";
      /** "hub.azure-devices.net", with ":port" where it is not 8883. */
      readonly hostName: string;
      readonly deviceId: string;
      readonly certificatePath: string;
      readonly privateKeyPath: string;
    }
  /** The container's own, from the IoT Edge runtime's environment variables. */
  | { readonly kind: "iot-edge" };

/** What this box shows to OPC UA servers: its application name and certificate store. */
export interface OpcuaClientConfig {
  readonly applicationName: string;
  /** Absolute folder: own/, trusted/certs, rejected, issuers. */
  readonly pkiPath: string;
}

export type Connection = OpcuaConnection | ModbusConnection;

export interface OpcuaConnection {
  readonly protocol: "opcua";
  /** Unique; the given name, else the address. */
  readonly id: string;
  /** opc.tcp://host:port/path */
  readonly endpointUrl: string;
  readonly security: OpcuaSecurity;
  readonly identity: OpcuaIdentity;
  /** Requested publishing interval of subscriptions. */
  readonly publishingIntervalMs: number;
  readonly connectTimeoutMs: number;
  readonly requestTimeoutMs: number;
  /** How long a link may be silent before its signals are no longer Good. */
  readonly staleAfterMs: number;
  readonly machines: readonly OpcuaMachine[];
}

export interface OpcuaSecurity {
  readonly mode: "none" | "sign" | "sign-and-encrypt";
  /** "auto" takes the strongest that the server offers in this mode. */
  readonly policy:
    | "auto"
    | "Basic256Sha256"
    | "Aes128_Sha256_RsaOaep"
    | "Aes256_Sha256_RsaPss"
    | "Basic128Rsa15"
    | "Basic256"
    | "None";
  /** explicit: only certificates in trusted/; first-use: the first one seen at this endpoint is pinned; any: for tests and explicit insecurity only. */
  readonly trust: "explicit" | "first-use" | "any";
}

export type OpcuaIdentity =
  | { readonly kind: "anonymous" }
  | { readonly kind: "user"; readonly username: string; readonly password: string }
  | { readonly kind: "certificate"; readonly certificatePath: string; readonly privateKeyPath: string };

export interface OpcuaMachine {
  readonly machineId: string;
  readonly typeName: string;
  readonly signals: readonly OpcuaSignal[];
}

export interface SignalBase {
  readonly name: string;
  /** "" when it has none. */
  readonly unit: string;
  /** What a person calls it; the name when not given. */
  readonly title: string;
  /** Shown among the key values of the machine. */
  readonly key: boolean;
}

export interface OpcuaSignal extends SignalBase {
  /** "ns=2;s=…", "nsu=http://…;s=…", "i=2258"; exactly one of node and path is set. */
  readonly node: string | null;
  /** Browse path from Objects: "/Objects/nsu=http://…:Line/2:Mill01/Speed", "/" separated, "&" escapes as in OPC UA Part 4 A.2. */
  readonly path: string | null;
  /** null: whatever the server says. Otherwise a different type gives BadTypeMismatch. */
  readonly type: DataType | null;
  /** One element of an array, counted from 0; null takes the whole value. */
  readonly index: number | null;
  readonly mode: "subscribe" | "poll";
  readonly samplingIntervalMs: number;
  readonly queueSize: number;
  readonly discardOldest: boolean;
  readonly deadband: { readonly kind: "absolute" | "percent"; readonly value: number } | null;
  /** Linear scaling, value × scale + offset, when either is not the identity; numeric types only. */
  readonly scale: number;
  readonly offset: number;
}

export interface ModbusConnection {
  readonly protocol: "modbus";
  readonly id: string;
  readonly transport: ModbusTransport;
  /** Time for one answer. */
  readonly timeoutMs: number;
  /** Further tries of one read after the first. */
  readonly retries: number;
  /** Pause between two requests on the line, for gateways that need it. */
  readonly pauseMs: number;
  /** Breaker per unit: opened after this many failures in a row, probed again after breakerOpenMs. */
  readonly breakerFailures: number;
  readonly breakerOpenMs: number;
  readonly machines: readonly ModbusMachine[];
}

export type ModbusTransport =
  | { readonly kind: "tcp" | "rtu-over-tcp"; readonly host: string; readonly port: number }
  | {
      readonly kind: "rtu";
      readonly device: string;
      readonly baudRate: number;
      readonly dataBits: 7 | 8;
      readonly parity: "none" | "even" | "odd";
      readonly stopBits: 1 | 2;
    };

export interface ModbusMachine {
  readonly machineId: string;
  readonly typeName: string;
  readonly unitId: number;
  /** Longest read that this machine's device accepts, in registers (≤ 125). */
  readonly registersPerReadMax: number;
  /** Unread registers that may be read along to join two reads. */
  readonly gapRegistersMax: number;
  readonly signals: readonly ModbusSignal[];
}

export const MODBUS_TABLES = ["coil", "discrete", "input", "holding"] as const;
export type ModbusTable = (typeof MODBUS_TABLES)[number];

/** Letters name the bytes of the value from the most significant, in the order in which they arrive. */
export type ByteOrder = "big" | "little";

export interface ModbusSignal extends SignalBase {
  readonly table: ModbusTable;
  /** Zero-based PDU address. */
  readonly address: number;
  readonly type: Exclude<DataType, "datetime">;
  /** 0..15 of the register counted from the least significant; null for a whole value. Only with type boolean on registers. */
  readonly bit: number | null;
  /** Bytes, strings only. */
  readonly lengthBytes: number | null;
  /** Order of the two bytes within a register; "big" is the standard's. */
  readonly byteOrder: ByteOrder;
  /** Order of the registers of a value; "big" puts the most significant first. ABCD = big, big. CDAB = big bytes, little words. BADC = little bytes, big words. DCBA = little, little. */
  readonly wordOrder: ByteOrder;
  readonly scale: number;
  readonly offset: number;
  readonly pollIntervalMs: number;
}

/** All machines of all connections, in the file's order. */
export function machinesOf(config: Config): readonly (OpcuaMachine | ModbusMachine)[] {
  return config.connections.flatMap((connection) => connection.machines as readonly (OpcuaMachine | ModbusMachine)[]);
}
