/** What holds when the file says nothing. The schema shows these to editors, the builders apply them. */
export const DEFAULTS = {
  log: { path: "data/tailstock.db", commitIntervalMs: 250, sealIntervalMs: 300_000, quotaMiB: 10_240, maxAgeDays: 30 },
  dashboard: { enabled: true, host: "127.0.0.1", port: 8080 },
  opcua: { applicationName: "Tailstock", pkiPath: "data/pki" },
  // Commands that change what runs on the box are allowed by name only.
  uplink: {
    transport: "mqtt",
    latencyMs: 5_000,
    latencyMsMax: 60_000,
    windowMessages: 16,
    sendTimeoutMs: 30_000,
    allow: ["status", "ping", "resend", "setRate"],
  },
  opcuaConnection: {
    mode: "sign-and-encrypt",
    policy: "auto",
    trust: "explicit",
    publishingIntervalMs: 100,
    connectTimeoutMs: 5_000,
    requestTimeoutMs: 5_000,
    staleAfterMs: 5_000,
    port: 4840,
  },
  opcuaSignal: { mode: "subscribe", samplingIntervalMs: 1_000, queueSize: 10, discardOldest: true },
  modbusConnection: { timeoutMs: 1_000, retries: 1, pauseMs: 0, breakerFailures: 3, breakerOpenMs: 5_000, port: 502 },
  // The serial line's own defaults are the ones that the Modbus serial line specification names (V1.02, 2.5.1).
  modbusSerial: { baudRate: 19_200, dataBits: 8, parity: "even", stopBits: 1 },
  modbusMachine: { unitId: 1, registersPerReadMax: 125, gapRegistersMax: 8 },
  modbusSignal: { type: "uint16", order: "ABCD", byteOrder: "big", wordOrder: "big", pollIntervalMs: 1_000 },
  signal: { scale: 1, offset: 0, unit: "", key: false },
} as const;

/** Bounds of what one box takes on; a configuration past them is a mistake, not a plan. */
export const CONFIG_BYTES_MAX = 4 * 1024 * 1024;
export const SIGNALS_MAX = 200_000;
export const PROBLEMS_LISTED_MAX = 200;
