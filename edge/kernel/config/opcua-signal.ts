import { DEFAULTS } from "./defaults.ts";
import type { OpcuaSignal } from "./model.ts";
import { BROWSE_PATH_HINT, browsePathFault, NODE_ID_HINT, nodeIdFault } from "./node-id.ts";
import type { SignalKeys } from "./schema.ts";
import {
  filled,
  ownKeysOf,
  refuseKeys,
  type SignalContext,
  type SignalSource,
  scaling,
  signalBase,
} from "./signal-source.ts";

const MODBUS_KEYS = [
  "holding",
  "input",
  "coil",
  "discrete",
  "reference",
  "bit",
  "lengthBytes",
  "order",
  "byteOrder",
  "wordOrder",
  "pollIntervalMs",
] as const satisfies readonly (keyof SignalKeys)[];

/** A poll faster than this asks more than a read service answers. */
const POLL_INTERVAL_MS_MIN = 10;

const NOT_NUMERIC = new Set(["boolean", "string", "datetime"]);

/** Reports what makes defaults useless for an OPC UA machine type. */
export function checkOpcuaDefaults(
  context: SignalContext,
  defaults: SignalKeys,
  path: readonly (string | number)[],
): void {
  refuseKeys(context, defaults, path, MODBUS_KEYS, "OPC UA", "Modbus");
}

/** One OPC UA signal of one machine, or undefined when it can't be made (then a problem says why). */
export function buildOpcuaSignal(context: SignalContext, source: SignalSource): OpcuaSignal | undefined {
  const { findings } = context;
  const { path, defaults } = source;
  const keys = ownKeysOf(source);
  refuseKeys(context, keys, path, MODBUS_KEYS, "OPC UA", "Modbus");
  const base = signalBase(context, source);
  const target = targetOf(context, source, keys);
  const type = keys.type ?? defaults.type ?? null;
  const isNumeric = type === null || !NOT_NUMERIC.has(type);
  const mode = keys.mode ?? defaults.mode ?? DEFAULTS.opcuaSignal.mode;
  const samplingIntervalMs =
    keys.samplingIntervalMs ?? defaults.samplingIntervalMs ?? DEFAULTS.opcuaSignal.samplingIntervalMs;
  if (mode === "poll" && samplingIntervalMs < POLL_INTERVAL_MS_MIN) {
    findings.problem(
      [...path, "samplingIntervalMs"],
      `samplingIntervalMs is ${samplingIntervalMs} with mode poll; expected at least ${POLL_INTERVAL_MS_MIN}`,
      "poll less often, or let the server sample with mode subscribe",
    );
  }
  if (keys.deadband !== undefined && !isNumeric) {
    findings.problem(
      [...path, "deadband"],
      `a deadband needs a number, but the signal's type is ${type}`,
      "remove deadband, or correct the type",
      "key",
    );
  }
  const deadband = isNumeric ? deadbandOf(context, source, keys.deadband ?? defaults.deadband) : null;
  const factors = scaling(context, source, type, isNumeric);
  if (base === undefined || target === undefined) return undefined;
  return {
    ...base,
    ...target,
    type,
    index: keys.index ?? defaults.index ?? null,
    mode,
    samplingIntervalMs,
    queueSize: keys.queueSize ?? defaults.queueSize ?? DEFAULTS.opcuaSignal.queueSize,
    discardOldest: keys.discardOldest ?? defaults.discardOldest ?? DEFAULTS.opcuaSignal.discardOldest,
    deadband,
    ...factors,
  };
}

function targetOf(
  context: SignalContext,
  { path, written }: SignalSource,
  keys: SignalKeys,
): { node: string; path: null } | { node: null; path: string } | undefined {
  const { findings } = context;
  if (keys.node !== undefined && keys.path !== undefined) {
    findings.problem(
      path,
      "both node and path are given; expected one of them",
      "keep the node id, or the browse path",
      "key",
    );
    return undefined;
  }
  if (keys.node === undefined && keys.path === undefined) {
    findings.problem(path, "neither node nor path is given; an OPC UA signal needs one of them", NODE_ID_HINT, "key");
    return undefined;
  }
  const isNode = keys.node !== undefined;
  const place = typeof written === "string" ? path : [...path, isNode ? "node" : "path"];
  const text = filled(context, keys.node ?? keys.path ?? "", place);
  if (text === undefined) return undefined;
  const faultText = isNode ? nodeIdFault(text) : browsePathFault(text);
  if (faultText !== undefined) {
    findings.problem(
      place,
      `'${text}' is not ${isNode ? "a node id" : "a browse path"}: ${faultText}`,
      isNode ? NODE_ID_HINT : BROWSE_PATH_HINT,
    );
    return undefined;
  }
  return isNode ? { node: text, path: null } : { node: null, path: text };
}

function deadbandOf(
  { findings }: SignalContext,
  { path }: SignalSource,
  deadband: number | string | undefined,
): OpcuaSignal["deadband"] {
  if (deadband === undefined) return null;
  if (typeof deadband === "number") return deadband === 0 ? null : { kind: "absolute", value: deadband };
  const value = Number.parseFloat(deadband);
  if (value > 100) {
    findings.problem(
      [...path, "deadband"],
      `deadband is ${deadband.trim()}; a percentage ends at 100%`,
      "write a percentage of the signal's range (EURange), or a number without % for an absolute deadband",
    );
    return null;
  }
  return value === 0 ? null : { kind: "percent", value };
}
