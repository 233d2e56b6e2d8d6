import { DataType, type OPCUAServer, StatusCodes, type UAVariable, Variant } from "node-opcua";
import { EdgeError } from "../kernel/errors.ts";
import { portOf, startOpcuaHost } from "./opcua-host.ts";
import { openPki, type Pki } from "./pki.ts";

export const LOAD_NAMESPACE_URI = "urn:wwi:redmond:load";
export const LOAD_SIGNALS_PER_MACHINE = 100;
export const LOAD_SIGNALS_MAX = 200_000;

/** Changes are spread over the interval in slices, as a thousand machines do not tick together. */
const SLICE_MS = 25;

export interface LoadServerOptions {
  /** Doubles in all, 100 to a machine. */
  readonly signals: number;
  /** Each value changes once in this time. */
  readonly intervalMs: number;
  /** 0 or left out: a free port. */
  readonly port?: number;
  readonly pkiPath?: string;
}

export interface LoadServer {
  start(): Promise<void>;
  stop(): Promise<void>;
  readonly endpointUrl: string;
  readonly machineIds: readonly string[];
  /** Changes made since the start. */
  readonly changes: number;
}

/** "load-007.S042": machine and signal, each counted from 1. */
export function loadNodeName(index: number): string {
  const machine = Math.floor(index / LOAD_SIGNALS_PER_MACHINE) + 1;
  const signal = (index % LOAD_SIGNALS_PER_MACHINE) + 1;
  return `load-${String(machine).padStart(3, "0")}.S${String(signal).padStart(3, "0")}`;
}

/**
 * An OPC UA server for load tests: every double changes once an interval, by counting up, so that a lost value shows; its
 * sourceTimestamp is the moment of the change, so that latency can be measured. Does as little else as it can.
 * @throws EdgeError USAGE on numbers out of range; `start` PORT_IN_USE
 */
export function createLoadServer(options: LoadServerOptions): LoadServer {
  const { signals, intervalMs } = options;
  if (!Number.isInteger(signals) || signals < 1 || signals > LOAD_SIGNALS_MAX) {
    throw new EdgeError("USAGE", `signals is ${signals}, expected a whole number from 1 to ${LOAD_SIGNALS_MAX}.`);
  }
  if (!(intervalMs >= SLICE_MS)) {
    throw new EdgeError("USAGE", `intervalMs is ${intervalMs}, expected at least ${SLICE_MS}.`);
  }
  return new RunningLoadServer(options);
}

class RunningLoadServer implements LoadServer {
  readonly machineIds: readonly string[];
  changes = 0;
  readonly #options: LoadServerOptions;
  readonly #variables: UAVariable[] = [];
  #pki: Pki | null = null;
  #server: OPCUAServer | null = null;
  #timer: NodeJS.Timeout | null = null;
  #startedMs = 0;

  constructor(options: LoadServerOptions) {
    this.#options = options;
    const machines = Math.ceil(options.signals / LOAD_SIGNALS_PER_MACHINE);
    this.machineIds = Array.from({ length: machines }, (_, index) => `load-${String(index + 1).padStart(3, "0")}`);
  }

  get endpointUrl(): string {
    return `opc.tcp://127.0.0.1:${this.#server === null ? 0 : portOf(this.#server)}/UA/Load`;
  }

  async start(): Promise<void> {
    this.#pki = await openPki(this.#options.pkiPath);
    this.#server = await startOpcuaHost(
      {
        port: this.#options.port ?? 0,
        resourcePath: "/UA/Load",
        applicationUri: "urn:wwi:redmond:load-server",
        productName: "WWI load server",
        populate: (server) => this.#populate(server),
      },
      this.#pki,
    );
    this.#startedMs = performance.now();
    this.#timer = setInterval(() => this.#tick(), SLICE_MS);
  }

  async stop(): Promise<void> {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
    await this.#server?.shutdown(0);
    this.#server = null;
    await this.#pki?.[Symbol.asyncDispose]();
    this.#pki = null;
  }

  #populate(server: OPCUAServer): void {
    const addressSpace = server.engine.addressSpace;
    if (addressSpace === null) throw new Error("The server has no address space after initialize().");
    const namespace = addressSpace.registerNamespace(LOAD_NAMESPACE_URI);
    const machines = this.machineIds.map((id) =>
      namespace.addObject({ browseName: id, nodeId: `s=${id}`, organizedBy: addressSpace.rootFolder.objects }),
    );
    for (let index = 0; index < this.#options.signals; index++) {
      const name = loadNodeName(index);
      const machine = machines[Math.floor(index / LOAD_SIGNALS_PER_MACHINE)];
      const variable = namespace.addVariable({
        browseName: name.slice(name.indexOf(".") + 1),
        nodeId: `s=${name}`,
        dataType: DataType.Double,
        ...(machine === undefined ? {} : { componentOf: machine }),
        accessLevel: "CurrentRead",
        userAccessLevel: "CurrentRead",
        minimumSamplingInterval: 0,
      });
      variable.setValueFromSource({ dataType: DataType.Double, value: index });
      this.#variables.push(variable);
    }
  }

  /** Makes all changes that are due by now; a late timer catches up, but changes no variable twice in one tick. */
  #tick(): void {
    const { intervalMs } = this.#options;
    const count = this.#variables.length;
    const due = Math.floor(((performance.now() - this.#startedMs) / intervalMs) * count);
    this.changes = Math.max(this.changes, due - count);
    const at = new Date();
    for (; this.changes < due; this.changes++) {
      const index = this.changes % count;
      // Distinct for every signal, and the round shows in the fraction: 42.003 is signal 42 in its third round.
      const value = index + (Math.floor(this.changes / count) % 1000) / 1000;
      this.#variables[index]?.setValueFromSource(
        new Variant({ dataType: DataType.Double, value }),
        StatusCodes.Good,
        at,
      );
    }
  }
}

/** A tailstock.yaml for this load: one machine type with a hundred signals, many machines. */
export function renderLoadConfig(
  endpointUrl: string,
  signals: number,
  options: { readonly samplingIntervalMs?: number; readonly logPath?: string; readonly dashboard?: boolean } = {},
): string {
  const full = Math.floor(signals / LOAD_SIGNALS_PER_MACHINE);
  const rest = signals % LOAD_SIGNALS_PER_MACHINE;
  const type = (name: string, count: number): string[] => [
    `  ${name}:`,
    "    protocol: opcua",
    `    defaults: { samplingIntervalMs: ${options.samplingIntervalMs ?? 1000}, queueSize: 10 }`,
    "    signals:",
    ...Array.from({ length: count }, (_, index) => {
      const signal = `S${String(index + 1).padStart(3, "0")}`;
      return `      ${signal}: { node: "nsu=${LOAD_NAMESPACE_URI};s=\${machine}.${signal}", type: float64 }`;
    }),
  ];
  const machine = (index: number, name: string): string =>
    `  load-${String(index + 1).padStart(3, "0")}: { type: ${name}, connection: load }`;
  return `${[
    "site: redmond",
    ...(options.logPath === undefined ? [] : ["log:", `  path: ${JSON.stringify(options.logPath)}`]),
    ...(options.dashboard === false ? ["dashboard:", "  enabled: false"] : []),
    "connections:",
    "  load:",
    `    address: ${endpointUrl}`,
    "    security: none",
    "machineTypes:",
    ...(full > 0 ? type("load", LOAD_SIGNALS_PER_MACHINE) : []),
    ...(rest > 0 ? type("load-rest", rest) : []),
    "machines:",
    ...Array.from({ length: full }, (_, index) => machine(index, "load")),
    ...(rest > 0 ? [machine(full, "load-rest")] : []),
  ].join("\n")}\n`;
}
