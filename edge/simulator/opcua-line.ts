import {
  DataType,
  makeEUInformation,
  type Namespace,
  type NodeIdLike,
  type OPCUAServer,
  StatusCodes,
  type UAObject,
  type UAVariable,
  Variant,
  VariantArrayType,
} from "node-opcua";
import type { DataType as SignalType } from "../kernel/config/model.ts";
import { portError, portOf, startOpcuaHost } from "./opcua-host.ts";
import { openPki, type Pki } from "./pki.ts";
import type { PlantMachine } from "./plant-machine.ts";
import type { PlantSignal } from "./plant-signal.ts";
import type { SimulatedValue } from "./signals/signal.ts";

const UA_TYPE: Readonly<Record<SignalType, DataType>> = {
  boolean: DataType.Boolean,
  int8: DataType.SByte,
  uint8: DataType.Byte,
  int16: DataType.Int16,
  uint16: DataType.UInt16,
  int32: DataType.Int32,
  uint32: DataType.UInt32,
  int64: DataType.Int64,
  uint64: DataType.UInt64,
  float32: DataType.Float,
  float64: DataType.Double,
  string: DataType.String,
  datetime: DataType.DateTime,
};

interface Published {
  readonly signal: PlantSignal;
  readonly variable: UAVariable;
  readonly type: DataType;
  version: number;
}

export interface OpcuaLineOptions {
  readonly port: number;
  readonly pkiPath: string | undefined;
  readonly machines: readonly PlantMachine[];
  /** A namespace index may differ after a restart of a real server; its URI does not, so config names the URI. */
  readonly namespaceUri: string;
}

/** The OPC UA server of the machining line: one object a machine, nodes "mill-01.Spindle.Speed" in the line's namespace. */
export class OpcuaLine {
  readonly #options: OpcuaLineOptions;
  #pki: Pki | null = null;
  #server: OPCUAServer | null = null;
  #published: Published[] = [];
  #isSuspended = false;
  port: number;

  constructor(options: OpcuaLineOptions) {
    this.#options = options;
    this.port = options.port;
  }

  get endpointUrl(): string {
    return `opc.tcp://127.0.0.1:${this.port}/UA/Line`;
  }

  /** @throws EdgeError PORT_IN_USE */
  async start(): Promise<void> {
    this.#pki ??= await openPki(this.#options.pkiPath);
    this.#published = [];
    this.#server = await startOpcuaHost(
      {
        port: this.port,
        resourcePath: "/UA/Line",
        applicationUri: "urn:wwi:redmond:line-server",
        productName: "WWI machining line",
        populate: (server) => this.#populate(server),
      },
      this.#pki,
    );
    this.port = portOf(this.#server);
    this.publish();
  }

  /** Hands what has changed to the address space; subscriptions and reads take it from there. */
  publish(): void {
    for (const published of this.#published) {
      if (published.version === published.signal.version) continue;
      published.version = published.signal.version;
      setValue(published);
    }
  }

  /** The cable is pulled: connections break, nobody listens; sessions live on in the server. */
  async cut(): Promise<void> {
    const server = this.#server;
    if (server === null || this.#isSuspended) return;
    this.#isSuspended = true;
    const suspended = server.suspendEndPoints();
    for (const endpoint of server.endpoints) endpoint.abruptlyInterruptChannels();
    await suspended;
  }

  async reconnect(): Promise<void> {
    if (this.#server === null || !this.#isSuspended) return;
    try {
      await this.#server.resumeEndPoints();
    } catch (error) {
      throw portError(this.port, error);
    }
    this.#isSuspended = false;
  }

  /** The server process ends: sessions and subscriptions are gone; `start` brings a new one on the same port. */
  async shutDown(): Promise<void> {
    const server = this.#server;
    this.#server = null;
    this.#published = [];
    this.#isSuspended = false;
    if (server !== null) await server.shutdown(0);
  }

  async stop(): Promise<void> {
    await this.shutDown();
    await this.#pki?.[Symbol.asyncDispose]();
    this.#pki = null;
  }

  #populate(server: OPCUAServer): void {
    const addressSpace = server.engine.addressSpace;
    if (addressSpace === null) throw new Error("The server has no address space after initialize().");
    const namespace = addressSpace.registerNamespace(this.#options.namespaceUri);
    const line = namespace.addFolder(addressSpace.rootFolder.objects, {
      browseName: "MachiningLine",
      nodeId: "s=MachiningLine",
    });
    for (const machine of this.#options.machines) {
      const object = namespace.addObject({ browseName: machine.id, nodeId: `s=${machine.id}`, organizedBy: line });
      const folders = new Map<string, UAObject>();
      for (const signal of machine.signals) this.#published.push(publishSignal(namespace, object, folders, signal));
    }
  }
}

function publishSignal(
  namespace: Namespace,
  machine: UAObject,
  folders: Map<string, UAObject>,
  signal: PlantSignal,
): Published {
  const { description, machineId } = signal;
  const steps = (description.path ?? description.name).split(".");
  let parent = machine;
  for (let depth = 1; depth < steps.length; depth++) {
    const path = steps.slice(0, depth).join(".");
    let folder = folders.get(path);
    if (folder === undefined) {
      const browseName = steps[depth - 1] ?? path;
      folder = namespace.addObject({ browseName, nodeId: `s=${machineId}.${path}`, componentOf: parent });
      folders.set(path, folder);
    }
    parent = folder;
  }
  const nodeId: NodeIdLike = `s=${machineId}.${steps.join(".")}`;
  const type = UA_TYPE[description.type];
  const common = {
    browseName: steps.at(-1) ?? description.name,
    displayName: description.title,
    nodeId,
    dataType: type,
    componentOf: parent,
    accessLevel: "CurrentRead",
    userAccessLevel: "CurrentRead",
    minimumSamplingInterval: 0,
  } as const;
  const { low, high, unit } = description;
  const variable: UAVariable =
    low === undefined || high === undefined
      ? namespace.addVariable(common)
      : namespace.addAnalogDataItem({
          ...common,
          engineeringUnitsRange: { low, high },
          engineeringUnits: makeEUInformation(unit, unit, unit),
        });
  const published = { signal, variable, type, version: signal.version };
  setValue(published);
  return published;
}

function setValue({ signal, variable, type }: Published): void {
  const isGood = signal.statusCode === 0;
  // A lost sensor has no value; what it last showed must not look like a measurement.
  const value = isGood
    ? new Variant({ dataType: type, arrayType: VariantArrayType.Scalar, value: wireValue(signal.value) })
    : new Variant({ dataType: DataType.Null });
  const status = isGood ? StatusCodes.Good : StatusCodes.BadSensorFailure;
  const at = new Date(signal.changedMs);
  variable.setValueFromSource(value, status, at);
}

/** node-opcua holds 64-bit integers as two 32-bit halves, high first. */
function wireValue(value: SimulatedValue): number | boolean | string | number[] {
  if (typeof value !== "bigint") return value;
  const bits = BigInt.asUintN(64, value);
  return [Number(bits >> 32n), Number(bits & 0xffff_ffffn)];
}
