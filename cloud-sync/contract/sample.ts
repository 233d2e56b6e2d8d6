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
