import { LINE_NAMESPACE_URI, type PlantSize, plantMachines } from "./plant-layout.ts";
import { cncSignals } from "./signals/cnc-signals.ts";
import { COMPRESSOR_SIGNALS } from "./signals/compressor-signals.ts";
import { PRESS_SIGNALS } from "./signals/press-signals.ts";
import type { MachineType, SignalDescription } from "./signals/signal.ts";

export interface RenderConfigOptions {
  readonly opcuaEndpointUrl: string;
  readonly modbusPort: number;
  readonly size?: PlantSize;
  readonly site?: string;
  /** "encrypted" (default) pins the simulator's certificate at first use; "none" is plain text. */
  readonly security?: "encrypted" | "none";
  /** Absolute, or relative to the file that the text is written to. */
  readonly logPath?: string;
  readonly dashboardPort?: number;
  readonly pkiPath?: string;
  /** Files of the line to a hub. */
  readonly uplink?: { readonly connectionStringFile: string; readonly ca: string };
}

/** Signals measured this seldom need not be asked every second. */
const SLOW_MS_MIN = 2_000;

const DESCRIPTIONS: Readonly<Record<MachineType, readonly SignalDescription[]>> = {
  "cnc-mill": cncSignals("mill"),
  "cnc-lathe": cncSignals("lathe"),
  press: PRESS_SIGNALS,
  compressor: COMPRESSOR_SIGNALS,
};

/**
 * A complete, commented tailstock.yaml for a factory of this size at these addresses. A started `Factory` can be passed
 * as it is; another process passes the addresses that the simulator printed.
 */
export function renderConfig(options: RenderConfigOptions): string {
  const machines = plantMachines(options.size);
  const types = [...new Set(machines.map(({ type }) => type))];
  const hasOpcua = machines.some(({ unitId }) => unitId === null);
  const lines = [
    "# The simulated factory, as a technician would write it down. Copy from here for machines of your own.",
    `site: ${options.site ?? "redmond"}`,
    "",
    ...section("log", { path: options.logPath }),
    ...section("dashboard", { port: options.dashboardPort }),
    ...section("opcua", { pkiPath: options.pkiPath }),
    ...section("uplink", { ...options.uplink }),
    "connections:",
    ...(hasOpcua ? machiningLine(options) : []),
    "  press-line:                           # one Modbus TCP gateway, a unit id for each machine",
    `    address: modbus+tcp://127.0.0.1:${options.modbusPort}`,
    "    timeoutMs: 1000",
    "",
    "machineTypes:",
    ...types.flatMap(machineType),
    "machines:",
    ...machines.map(({ id, type, unitId }) =>
      unitId === null
        ? `  ${id}: { type: ${type}, connection: machining-line }`
        : `  ${id}: { type: ${type}, connection: press-line, unitId: ${unitId} }`,
    ),
  ];
  return `${lines.join("\n")}\n`;
}

function machiningLine(options: RenderConfigOptions): string[] {
  const security =
    options.security === "none"
      ? "    security: none                      # plain text: for a demo on loopback only"
      : "    security: { mode: sign-and-encrypt, policy: auto, trust: first-use }   # the certificate seen first is pinned";
  return [
    "  machining-line:                       # one OPC UA server for all mills and lathes",
    `    address: ${options.opcuaEndpointUrl}`,
    security,
  ];
}

function section(name: string, entries: Readonly<Record<string, string | number | undefined>>): string[] {
  const given = Object.entries(entries).flatMap(([key, value]) =>
    value === undefined ? [] : [`  ${key}: ${typeof value === "number" ? value : JSON.stringify(value)}`],
  );
  return given.length === 0 ? [] : [`${name}:`, ...given, ""];
}

function machineType(type: MachineType): string[] {
  const isOpcua = type === "cnc-mill" || type === "cnc-lathe";
  return [
    `  ${type}:`,
    `    protocol: ${isOpcua ? "opcua" : "modbus"}`,
    `    defaults: { ${isOpcua ? "samplingIntervalMs: 1000, queueSize: 10" : "pollIntervalMs: 1000"} }`,
    "    signals:",
    ...DESCRIPTIONS[type].map((description) => `      ${description.name}: { ${fields(description).join(", ")} }`),
    "",
  ];
}

function fields(description: SignalDescription): string[] {
  const { type, unit, title, key, everyMs = 0 } = description;
  const isOpcua = description.register === undefined;
  const place = isOpcua
    ? [`node: "nsu=${LINE_NAMESPACE_URI};s=\${machine}.${description.path}"`, `type: ${type}`]
    : registerFields(description);
  return [
    ...place,
    ...(unit === "" ? [] : [`unit: ${JSON.stringify(unit)}`]),
    `title: ${JSON.stringify(title)}`,
    ...(key === true ? ["key: true"] : []),
    ...(everyMs >= SLOW_MS_MIN ? [`${isOpcua ? "samplingIntervalMs" : "pollIntervalMs"}: ${everyMs}`] : []),
  ];
}

function registerFields({ register, type }: SignalDescription): string[] {
  if (register === undefined) return [];
  const { table, address, order, scale, lengthBytes, bit } = register;
  const place = `${table}: ${address}`;
  if (table === "coil" || table === "discrete") return [place];
  if (lengthBytes !== undefined) {
    const byteOrder = order === "BADC" ? "little" : "big";
    return [place, "type: string", `lengthBytes: ${lengthBytes}`, `byteOrder: ${byteOrder}`];
  }
  return [
    place,
    `type: ${type}`,
    ...(bit === undefined ? [] : [`bit: ${bit}`]),
    ...(order === undefined ? [] : [`order: ${order}`]),
    ...(scale === undefined ? [] : [`scale: ${scale}`]),
  ];
}
