/** A scalar as the machine delivered it; int64 and uint64 are bigint, a date is its UTC epoch milliseconds. */
export type ScalarValue = number | bigint | boolean | string | null;
/** Arrays keep their elements; a matrix is flattened row by row. */
export type SampleValue = ScalarValue | readonly ScalarValue[];

/** One reading of one signal: value, quality, and the three times that a technician must be able to tell apart. */
export interface Sample {
  readonly machineId: string;
  /** The signal's name in the machine's config, unique within the machine. */
  readonly signal: string;
  /** null when there is no usable value (then statusCode is not Good). */
  readonly value: SampleValue;
  /** OPC UA status code, unsigned 32 bits. */
  readonly statusCode: number;
  /** When the value was measured, by the source's clock; null when the protocol has none (Modbus). UTC epoch ms, may be fractional. */
  readonly sourceTimestampMs: number | null;
  /** When the server saw it, by the server's clock; null when the protocol has none. */
  readonly serverTimestampMs: number | null;
  /** When this box received it, by this box's clock. */
  readonly receivedTimestampMs: number;
}

/** A value larger than this is not stored: an event has to fit into one message of a hub. */
export const VALUE_BYTES_MAX = 64 * 1024;

/** Bytes that a value takes beyond a plain number or flag: of texts in UTF-8, of arrays nine for each element. */
export function largeBytesOf(value: SampleValue): number {
  if (typeof value === "string") return value.length < 64 ? value.length : Buffer.byteLength(value);
  if (typeof value === "bigint") return value > -(2n ** 64n) && value < 2n ** 64n ? 0 : value.toString().length;
  if (typeof value !== "object" || value === null) return 0;
  return value.reduce((sum: number, element) => sum + 9 + largeBytesOf(element), 0);
}
