import { DEFAULTS } from "./defaults.ts";
import { type ByteOrder, type DataType, MODBUS_TABLES, type ModbusSignal, type ModbusTable } from "./model.ts";
import { looksLikeReference, parseReference, REFERENCE_HINT } from "./reference.ts";
import type { SignalKeys } from "./schema.ts";
import { ownKeysOf, refuseKeys, type SignalContext, type SignalSource, scaling, signalBase } from "./signal-source.ts";

const OPCUA_KEYS = [
  "node",
  "path",
  "index",
  "mode",
  "samplingIntervalMs",
  "queueSize",
  "discardOldest",
  "deadband",
] as const satisfies readonly (keyof SignalKeys)[];

const TABLE_HINT =
  "give one of holding, input, coil or discrete with a zero-based address, or reference with the manual's number";
const ADDRESSES = 65_536;

const REGISTERS_BY_TYPE: Readonly<Record<Exclude<DataType, "string" | "datetime">, number>> = {
  boolean: 1,
  int8: 1,
  uint8: 1,
  int16: 1,
  uint16: 1,
  int32: 2,
  uint32: 2,
  float32: 2,
  int64: 4,
  uint64: 4,
  float64: 4,
};

/** Reports what makes defaults useless for a Modbus machine type. */
export function checkModbusDefaults(
  context: SignalContext,
  defaults: SignalKeys,
  path: readonly (string | number)[],
): void {
  refuseKeys(context, defaults, path, OPCUA_KEYS, "Modbus", "OPC UA");
}

/** Registers (or, in bit tables, one) that a signal occupies from its address on. */
export function widthOf(signal: Pick<ModbusSignal, "table" | "type" | "lengthBytes">): number {
  if (isBitTable(signal.table)) return 1;
  if (signal.type === "string") return Math.ceil((signal.lengthBytes ?? 0) / 2);
  return REGISTERS_BY_TYPE[signal.type];
}

/** One Modbus signal of one machine, or undefined when it can't be made (then a problem says why). */
export function buildModbusSignal(
  context: SignalContext,
  source: SignalSource,
  registersPerReadMax: number,
): ModbusSignal | undefined {
  const { findings } = context;
  const { path, defaults } = source;
  if (typeof source.written === "string") {
    findings.problem(path, `'${source.written}' is an OPC UA node id, but this signal is read over Modbus`, TABLE_HINT);
    return undefined;
  }
  const keys = ownKeysOf(source);
  refuseKeys(context, keys, path, OPCUA_KEYS, "Modbus", "OPC UA");
  const base = signalBase(context, source);
  const place = placeOf(context, source, keys);
  if (place === undefined) return undefined;
  const type = typeOf(context, source, keys, place.table);
  const bit = keys.bit ?? null;
  if (bit !== null && (type !== "boolean" || isBitTable(place.table))) {
    findings.problem(
      [...path, "bit"],
      isBitTable(place.table)
        ? `bit is given, but a ${place.table} is one bit already`
        : `bit is given, but the type is ${type}; expected boolean`,
      "write type: boolean for one bit of a register, or remove bit for the whole value",
      "key",
    );
  }
  const lengthBytes = lengthOf(context, source, keys, type);
  if (base === undefined || type === undefined || lengthBytes === undefined) return undefined;
  const width = widthOf({ table: place.table, type, lengthBytes });
  if (place.address + width > ADDRESSES) {
    findings.problem(
      [...path, place.key],
      `address ${place.address} with ${width} registers runs past the last address 65535`,
      "check the address and the width of the type",
    );
  }
  if (width > registersPerReadMax) {
    findings.problem(
      path,
      `the signal takes ${width} registers, but registersPerReadMax of machine '${context.machineName}' is ${registersPerReadMax}`,
      "raise registersPerReadMax, or split the signal",
      "key",
    );
  }
  const isNumeric = type !== "boolean" && type !== "string";
  return {
    ...base,
    table: place.table,
    address: place.address,
    type,
    bit,
    lengthBytes,
    ...orderOf(context, source, keys),
    ...scaling(context, source, type, isNumeric),
    pollIntervalMs: keys.pollIntervalMs ?? defaults.pollIntervalMs ?? DEFAULTS.modbusSignal.pollIntervalMs,
  };
}

function isBitTable(table: ModbusTable): boolean {
  return table === "coil" || table === "discrete";
}

function placeOf(
  { findings }: SignalContext,
  { path }: SignalSource,
  keys: SignalKeys,
): { key: string; table: ModbusTable; address: number } | undefined {
  const given = [...MODBUS_TABLES, "reference" as const].filter((key) => keys[key] !== undefined);
  const [key] = given;
  if (key === undefined) {
    findings.problem(path, "no register is given", TABLE_HINT, "key");
    return undefined;
  }
  if (given.length > 1) {
    findings.problem(path, `${given.join(" and ")} are given; expected one of them`, TABLE_HINT, "key");
    return undefined;
  }
  if (key === "reference") {
    const parsed = parseReference(keys.reference ?? "");
    if (parsed === undefined) {
      findings.problem([...path, key], `'${keys.reference}' is not a register reference`, REFERENCE_HINT);
      return undefined;
    }
    return { key, ...parsed };
  }
  const address = keys[key] ?? 0;
  const reference = looksLikeReference(key, address);
  if (reference !== undefined) {
    findings.warning(
      [...path, key],
      `${key}: ${address} is taken as the zero-based address ${address}, but looks like a reference from a manual`,
      `if the manual's number is meant, write reference: "${reference}"`,
    );
  }
  return { key, table: key, address };
}

function typeOf(
  { findings }: SignalContext,
  { path, defaults }: SignalSource,
  keys: SignalKeys,
  table: ModbusTable,
): ModbusSignal["type"] | undefined {
  if (isBitTable(table)) {
    if (keys.type !== undefined && keys.type !== "boolean") {
      findings.problem(
        [...path, "type"],
        `type is ${keys.type}, but a ${table} is one bit; expected boolean`,
        "remove type, or read a holding or input register",
      );
    }
    return "boolean";
  }
  const type = keys.type ?? (keys.bit === undefined ? (defaults.type ?? DEFAULTS.modbusSignal.type) : "boolean");
  if (type !== "datetime") return type;
  findings.problem(
    [...path, "type"],
    "type datetime does not exist on Modbus",
    "read the raw integers; uint32 often holds Unix seconds",
  );
  return undefined;
}

/** null when there is none to have, undefined after a problem. */
function lengthOf(
  { findings }: SignalContext,
  { path, defaults }: SignalSource,
  keys: SignalKeys,
  type: ModbusSignal["type"] | undefined,
): number | null | undefined {
  if (type !== "string") {
    if (keys.lengthBytes === undefined) return null;
    findings.problem(
      [...path, "lengthBytes"],
      `lengthBytes is for strings, but the type is ${type}`,
      "write type: string, or remove lengthBytes",
      "key",
    );
    return null;
  }
  const lengthBytes = keys.lengthBytes ?? defaults.lengthBytes;
  if (lengthBytes !== undefined) return lengthBytes;
  findings.problem(
    path,
    "a string needs lengthBytes",
    "add lengthBytes: the number of characters, two a register",
    "key",
  );
  return undefined;
}

function orderOf(
  { findings }: SignalContext,
  { path, defaults }: SignalSource,
  keys: SignalKeys,
): { byteOrder: ByteOrder; wordOrder: ByteOrder } {
  if (keys.order !== undefined && (keys.byteOrder !== undefined || keys.wordOrder !== undefined)) {
    findings.problem(
      [...path, "order"],
      "order is given together with byteOrder or wordOrder; they say the same thing",
      "keep order (ABCD, CDAB, BADC, DCBA), or byteOrder and wordOrder",
      "key",
    );
  }
  // What stands at the signal wins as a whole over the defaults, for "order" and the pair say the same thing.
  const own = keys.order !== undefined || keys.byteOrder !== undefined || keys.wordOrder !== undefined;
  const from = own ? keys : defaults;
  const order = from.order ?? DEFAULTS.modbusSignal.order;
  return {
    byteOrder: from.byteOrder ?? (order === "BADC" || order === "DCBA" ? "little" : "big"),
    wordOrder: from.wordOrder ?? (order === "CDAB" || order === "DCBA" ? "little" : "big"),
  };
}
