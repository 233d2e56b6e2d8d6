import { resolve } from "node:path";
import { type Line, Lines } from "./connections.ts";
import { DEFAULTS, SIGNALS_MAX } from "./defaults.ts";
import { buildModbusSignal, checkModbusDefaults } from "./modbus-signal.ts";
import type { Config, ModbusMachine, ModbusSignal, OpcuaMachine, OpcuaSignal } from "./model.ts";
import { isName, NAME_HINT, RESERVED_MACHINE_NAME } from "./names.ts";
import { buildOpcuaSignal, checkOpcuaDefaults } from "./opcua-signal.ts";
import { type ConfigPath, type Findings, shown } from "./problem.ts";
import type { ConfigFile, MachineFile, MachineTypeFile } from "./schema.ts";
import type { SecretFiles } from "./secret-files.ts";
import type { SignalContext, SignalSource } from "./signal-source.ts";
import { didYouMean } from "./suggest.ts";
import { buildUplink } from "./uplink.ts";

type Protocol = "opcua" | "modbus";
const PROTOCOL_NAME = { opcua: "OPC UA", modbus: "Modbus" } as const;

/** A file whose shape is right but for the parts that were cut out, because the schema refused them. */
export type PrunedFile = Partial<Omit<ConfigFile, "machineTypes">> & {
  readonly machineTypes?: Readonly<Record<string, Partial<MachineTypeFile>>>;
};

/** Makes the configuration of a file, and reports everything that its shape alone could not show. */
export function buildConfig(file: PrunedFile, folder: string, findings: Findings, secrets: SecretFiles): Config {
  const site = file.site ?? "";
  if (file.site !== undefined && !isName(site))
    findings.problem(["site"], `${shown(site)} is not a site's name`, NAME_HINT);
  const lines = new Lines(file.connections ?? {}, findings, secrets);
  const types = file.machineTypes ?? {};
  const ownUnits = file.units ?? [];
  const used = new Set<string>();
  let signals = 0;
  for (const [name, machine] of Object.entries(file.machines ?? {})) {
    const path = ["machines", name];
    checkMachineName(name, path, findings);
    const variables = variablesOf(site, name, machine, path, findings);
    const context = { findings, ownUnits, machineName: name, machinePath: path, variables, isTrial: false };
    const line = lines.lineOf(machine, path);
    const type = typeOf(machine, types, path, findings);
    if (type !== undefined) used.add(machine.type ?? "");
    const protocol = agreedProtocol(machine, type, line, path, findings);
    if (protocol === undefined) continue;
    const machineId = `${site}/${name}`;
    const built = buildMachine(context, machineId, machine, type, line, protocol);
    signals += built.signals.length;
    line?.machines.push(built);
  }
  if (signals > SIGNALS_MAX) {
    findings.problem(
      ["machines"],
      `${signals} signals are more than one box takes (${SIGNALS_MAX})`,
      "share the machines between several boxes",
      "key",
    );
  }
  for (const [name, type] of Object.entries(types)) checkType(name, type, used.has(name), findings, ownUnits);
  const uplink = file.uplink === undefined ? undefined : buildUplink(file.uplink, findings, secrets);
  return {
    site,
    log: {
      path: resolve(folder, file.log?.path ?? DEFAULTS.log.path),
      commitIntervalMs: file.log?.commitIntervalMs ?? DEFAULTS.log.commitIntervalMs,
      sealIntervalMs: file.log?.sealIntervalMs ?? DEFAULTS.log.sealIntervalMs,
      quotaBytes: (file.log?.quotaMiB ?? DEFAULTS.log.quotaMiB) * 2 ** 20,
      maxAgeMs: (file.log?.maxAgeDays ?? DEFAULTS.log.maxAgeDays) * 86_400_000,
    },
    dashboard: {
      enabled: file.dashboard?.enabled ?? DEFAULTS.dashboard.enabled,
      host: file.dashboard?.host ?? DEFAULTS.dashboard.host,
      port: file.dashboard?.port ?? DEFAULTS.dashboard.port,
    },
    opcua: {
      applicationName: file.opcua?.applicationName ?? DEFAULTS.opcua.applicationName,
      pkiPath: resolve(folder, file.opcua?.pkiPath ?? DEFAULTS.opcua.pkiPath),
    },
    ...(uplink === undefined ? {} : { uplink }),
    connections: lines.toConnections(),
  };
}

function checkMachineName(name: string, path: ConfigPath, findings: Findings): void {
  if (!isName(name)) findings.problem(path, `'${name}' is not a machine's name`, NAME_HINT, "key");
  if (name === RESERVED_MACHINE_NAME) {
    findings.problem(
      path,
      `'${name}' is the name of the box's own events, so no machine can have it`,
      "give the machine another name",
      "key",
    );
  }
}

function variablesOf(
  site: string,
  name: string,
  machine: MachineFile,
  path: ConfigPath,
  findings: Findings,
): Map<string, string> {
  const variables = new Map([
    ["site", site],
    ["machine", name],
  ]);
  for (const [key, value] of Object.entries(machine.with ?? {})) {
    if (variables.has(key) && (key === "site" || key === "machine")) {
      findings.problem(
        [...path, "with", key],
        `variable '${key}' is set by Tailstock itself`,
        "choose another name for the variable",
        "key",
      );
    }
    variables.set(key, String(value));
  }
  return variables;
}

function typeOf(
  { type }: MachineFile,
  types: Readonly<Record<string, Partial<MachineTypeFile>>>,
  path: ConfigPath,
  findings: Findings,
): Partial<MachineTypeFile> | undefined {
  if (type === undefined) return undefined;
  const found = Object.hasOwn(types, type) ? types[type] : undefined;
  if (found === undefined) {
    const names = Object.keys(types);
    findings.problem(
      [...path, "type"],
      `machine type '${type}' does not exist${didYouMean(type, names)}`,
      names.length === 0 ? "add it under machineTypes:" : `known types: ${names.slice(0, 20).join(", ")}`,
    );
  }
  return found;
}

/** The protocol that type and line agree on; without a line the type's, so that its mistakes show all the same. */
function agreedProtocol(
  machine: MachineFile,
  type: Partial<MachineTypeFile> | undefined,
  line: Line | undefined,
  path: ConfigPath,
  findings: Findings,
): Protocol | undefined {
  if (line === undefined) return type?.protocol;
  const spoken = line.address.protocol;
  if (type?.protocol === undefined || type.protocol === spoken) return spoken;
  findings.problem(
    [...path, "type"],
    `type '${machine.type}' is read over ${PROTOCOL_NAME[type.protocol]}, but ${line.address.key} speaks ${PROTOCOL_NAME[spoken]}`,
    "check the address of the machine and the protocol of its type",
  );
  return undefined;
}

function buildMachine(
  context: SignalContext,
  machineId: string,
  machine: MachineFile,
  type: Partial<MachineTypeFile> | undefined,
  line: Line | undefined,
  protocol: Protocol,
): OpcuaMachine | ModbusMachine {
  const { findings, machinePath } = context;
  const sources = sourcesOf(machine, type, machinePath);
  if (sources.length === 0 && (machine.type === undefined || type?.signals !== undefined)) {
    findings.problem(
      machinePath,
      "the machine has no signals",
      "give it a type that has signals, or signals: of its own",
      "key",
    );
  }
  const typeName = machine.type ?? "";
  if (protocol === "opcua") {
    for (const key of ["unitId", "registersPerReadMax", "gapRegistersMax"] as const) {
      if (machine[key] === undefined) continue;
      findings.problem(
        [...machinePath, key],
        `'${key}' is a key of Modbus machines, but this machine is read over OPC UA`,
        "remove the key, or check the address",
        "key",
      );
    }
    return {
      machineId,
      typeName,
      signals: unique<OpcuaSignal>(context, sources, (source) => buildOpcuaSignal(context, source)),
    };
  }
  const registersPerReadMax = machine.registersPerReadMax ?? DEFAULTS.modbusMachine.registersPerReadMax;
  return {
    machineId,
    typeName,
    unitId: unitIdOf(machine, line, machinePath, findings),
    registersPerReadMax,
    gapRegistersMax: machine.gapRegistersMax ?? DEFAULTS.modbusMachine.gapRegistersMax,
    signals: unique<ModbusSignal>(context, sources, (source) =>
      buildModbusSignal(context, source, registersPerReadMax),
    ),
  };
}

function unitIdOf(machine: MachineFile, line: Line | undefined, path: ConfigPath, findings: Findings): number {
  const inAddress = line?.address.protocol === "modbus" ? line.address.unitId : null;
  if (machine.unitId !== undefined && inAddress !== null && machine.unitId !== inAddress) {
    findings.problem(
      [...path, "unitId"],
      `unitId is ${machine.unitId}, but the address says unitId=${inAddress}`,
      "keep one of the two",
    );
  }
  return machine.unitId ?? inAddress ?? DEFAULTS.modbusMachine.unitId;
}

/** The type's signals and then the machine's own; one of its own with the name of a type's takes that one's place. */
function sourcesOf(
  machine: MachineFile,
  type: Partial<MachineTypeFile> | undefined,
  machinePath: ConfigPath,
): SignalSource[] {
  const typePath = ["machineTypes", machine.type ?? "", "signals"];
  const sources = new Map<string, SignalSource>();
  const defaults = type?.defaults ?? {};
  for (const [name, written] of Object.entries(type?.signals ?? {})) {
    sources.set(name, { name, written, defaults, path: [...typePath, name] });
  }
  for (const [name, written] of Object.entries(machine.signals ?? {})) {
    sources.set(name, { name, written, defaults, path: [...machinePath, "signals", name] });
  }
  return [...sources.values()];
}

/** Builds signals and reports names that became equal when variables were replaced. */
function unique<S extends { readonly name: string }>(
  context: SignalContext,
  sources: readonly SignalSource[],
  build: (source: SignalSource) => S | undefined,
): S[] {
  const pathByName = new Map<string, ConfigPath>();
  const signals: S[] = [];
  for (const source of sources) {
    const signal = build(source);
    if (signal === undefined) continue;
    const first = pathByName.get(signal.name);
    if (first === undefined) {
      pathByName.set(signal.name, source.path);
      signals.push(signal);
      continue;
    }
    context.findings.problem(
      source.path,
      `signal '${signal.name}' exists twice on machine '${context.machineName}'; ${first.join(".")} is the other`,
      "signal names are unique within a machine: rename one, or check the values of its variables",
      "key",
    );
  }
  return signals;
}

/** What can be said of a type by itself; the signals of one that no machine uses are tried without a machine. */
function checkType(
  name: string,
  type: Partial<MachineTypeFile>,
  isUsed: boolean,
  findings: Findings,
  ownUnits: readonly string[],
): void {
  const path = ["machineTypes", name];
  if (!isName(name)) findings.problem(path, `'${name}' is not a machine type's name`, NAME_HINT, "key");
  const context = { findings, ownUnits, machineName: name, machinePath: path, variables: new Map(), isTrial: true };
  const check = type.protocol === "modbus" ? checkModbusDefaults : checkOpcuaDefaults;
  if (type.protocol !== undefined) check(context, type.defaults ?? {}, [...path, "defaults"]);
  if (isUsed) return;
  for (const source of sourcesOf({ type: name }, type, path)) {
    if (type.protocol === "opcua") buildOpcuaSignal(context, source);
    if (type.protocol === "modbus") buildModbusSignal(context, source, DEFAULTS.modbusMachine.registersPerReadMax);
  }
}
