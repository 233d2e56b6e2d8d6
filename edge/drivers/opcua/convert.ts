import { type DataValue, DataType as UaType, type Variant, VariantArrayType } from "node-opcua-client";
import type { SampleValue, ScalarValue } from "../../../cloud-sync/contract/sample.ts";
import type { DataType, OpcuaSignal } from "../../kernel/config/model.ts";
import { StatusCode } from "../../kernel/status-code.ts";
import { ServiceStatus } from "./services.ts";

/** Longest text that a structure or string becomes, in UTF-16 units, and most elements of an array. */
export const TEXT_LENGTH_MAX = 65_536;
export const ARRAY_LENGTH_MAX = 65_536;

export interface Converted {
  readonly value: SampleValue;
  readonly statusCode: number;
}

const TEXT_TYPES = [
  UaType.String,
  UaType.LocalizedText,
  UaType.QualifiedName,
  UaType.Guid,
  UaType.ByteString,
  UaType.XmlElement,
  UaType.NodeId,
  UaType.ExpandedNodeId,
  UaType.ExtensionObject,
];
const UA_TYPES: Readonly<Record<DataType, readonly UaType[]>> = {
  boolean: [UaType.Boolean],
  int8: [UaType.SByte],
  uint8: [UaType.Byte],
  int16: [UaType.Int16],
  uint16: [UaType.UInt16],
  int32: [UaType.Int32],
  uint32: [UaType.UInt32],
  int64: [UaType.Int64],
  uint64: [UaType.UInt64],
  float32: [UaType.Float],
  float64: [UaType.Double],
  string: TEXT_TYPES,
  datetime: [UaType.DateTime],
};

/**
 * A delivered value in the contract's form: Int64 and UInt64 as bigint, dates as epoch ms, text for what is not a
 * number, arrays element by element and a matrix row by row. A type other than the configured one is BadTypeMismatch,
 * a missing array element BadIndexRangeNoData, a Good status without a value BadNoDataAvailable.
 */
export function convert(
  dataValue: DataValue,
  signal: Pick<OpcuaSignal, "type" | "index" | "scale" | "offset">,
): Converted {
  const statusCode = dataValue.statusCode.value >>> 0;
  const variant = dataValue.value;
  if (statusCode >= 0x80000000) return { value: null, statusCode };
  if (!variant || variant.dataType === UaType.Null || variant.value === null || variant.value === undefined) {
    return { value: null, statusCode: statusCode >= 0x40000000 ? statusCode : StatusCode.BadNoDataAvailable };
  }
  if (signal.type !== null && !UA_TYPES[signal.type].includes(variant.dataType)) return bad(StatusCode.BadTypeMismatch);
  const type = variant.dataType;
  if (variant.arrayType === VariantArrayType.Scalar) {
    if (signal.index !== null) return bad(StatusCode.BadIndexRangeNoData);
    return scaled(scalarOf(type, variant.value), statusCode, signal);
  }
  const elements = variant.value as ArrayLike<unknown>;
  if (signal.index !== null) {
    if (signal.index >= elements.length) return bad(StatusCode.BadIndexRangeNoData);
    return scaled(scalarOf(type, elements[signal.index]), statusCode, signal);
  }
  if (elements.length > ARRAY_LENGTH_MAX) return bad(ServiceStatus.BadEncodingLimitsExceeded);
  const values: ScalarValue[] = new Array(elements.length);
  for (let i = 0; i < elements.length; i++) {
    const scalar = scalarOf(type, elements[i]);
    if (scalar === undefined) return bad(ServiceStatus.BadEncodingLimitsExceeded);
    values[i] = scale(scalar, signal);
  }
  return { value: values, statusCode };
}

function bad(statusCode: number): Converted {
  return { value: null, statusCode };
}

function scaled(
  value: ScalarValue | undefined,
  statusCode: number,
  signal: Pick<OpcuaSignal, "scale" | "offset">,
): Converted {
  return value === undefined
    ? bad(ServiceStatus.BadEncodingLimitsExceeded)
    : { value: scale(value, signal), statusCode };
}

function scale(value: ScalarValue, { scale, offset }: Pick<OpcuaSignal, "scale" | "offset">): ScalarValue {
  if (scale === 1 && offset === 0) return value;
  if (typeof value === "number") return value * scale + offset;
  return typeof value === "bigint" ? Number(value) * scale + offset : value;
}

/** undefined when the text would be longer than TEXT_LENGTH_MAX. */
function scalarOf(type: UaType, value: unknown): ScalarValue | undefined {
  if (typeof value === "number" || typeof value === "boolean") return value;
  if (value === null || value === undefined) return null;
  switch (type) {
    case UaType.Int64:
      return BigInt.asIntN(64, wide(value));
    case UaType.UInt64:
      return wide(value);
    case UaType.DateTime:
      return value instanceof Date ? value.getTime() : null;
    default: {
      const text = textOf(type, value);
      return text.length > TEXT_LENGTH_MAX ? undefined : text;
    }
  }
}

/** The library delivers 64-bit integers as [high, low], each an unsigned 32-bit number. */
function wide(value: unknown): bigint {
  const [high = 0, low = 0] = value as [number, number];
  return (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
}

function textOf(type: UaType, value: unknown): string {
  if (typeof value === "string") return value;
  if (Buffer.isBuffer(value)) return value.toString("base64");
  if (type === UaType.LocalizedText) return (value as { text: string | null }).text ?? "";
  if (type === UaType.ExtensionObject || type === UaType.Variant || type === UaType.DataValue) return jsonOf(value);
  return String(value);
}

function jsonOf(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) => (typeof part === "bigint" ? part.toString() : part)) ?? "null";
}

/** Epoch ms with the fraction that the 100 ns ticks and picoseconds add; null when the server gave none. */
export function timestampMs(date: Date | null | undefined, picoseconds: number | undefined): number | null {
  if (!date) return null;
  const ms = date.getTime();
  return picoseconds ? ms + picoseconds / 1e9 : ms;
}

/** True when the variant holds structures that the library could not decode without the server's type definitions. */
export function isOpaque(variant: Variant | null | undefined): boolean {
  if (variant?.dataType !== UaType.ExtensionObject) return false;
  const first: unknown = Array.isArray(variant.value) ? variant.value[0] : variant.value;
  return (first as { constructor?: { name?: string } } | null)?.constructor?.name === "OpaqueStructure";
}

/** The name of a delivered type, for a sentence. */
export function typeName(dataValue: DataValue): string {
  return UaType[dataValue.value?.dataType ?? UaType.Null] ?? "unknown";
}
