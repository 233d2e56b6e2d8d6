/**
 * Arrays in PostgreSQL's binary form: a buffer is sent as it is, where pg would write a literal (bytes as hexadecimal digits, each string
 * escaped) which the server must read again.
 */
const OID = { bytea: 17, int8: 20, text: 25 } as const;
const HEAD_BYTES = 20;

export function byteaArray(values: readonly (Uint8Array | undefined)[]): Buffer {
  const bytes = values.reduce((sum, value) => sum + 4 + (value?.length ?? 0), HEAD_BYTES);
  const { buffer, begin } = head(bytes, OID.bytea, values.length, values.includes(undefined));
  let at = begin;
  for (const value of values) {
    at = buffer.writeInt32BE(value?.length ?? -1, at);
    if (value === undefined) continue;
    buffer.set(value, at);
    at += value.length;
  }
  return buffer;
}

export function textArray(values: readonly string[]): Buffer {
  const lengths = values.map((value) => Buffer.byteLength(value));
  const bytes = lengths.reduce((sum, length) => sum + 4 + length, HEAD_BYTES);
  const { buffer, begin } = head(bytes, OID.text, values.length, false);
  let at = begin;
  values.forEach((value, i) => {
    at = buffer.writeInt32BE(lengths[i] as number, at);
    at += buffer.write(value, at);
  });
  return buffer;
}

/** Whole numbers within 2^53. */
export function int8Array(values: readonly number[]): Buffer {
  const { buffer, begin } = head(HEAD_BYTES + values.length * 12, OID.int8, values.length, false);
  let at = begin;
  for (const value of values) {
    at = buffer.writeInt32BE(8, at);
    at = buffer.writeBigInt64BE(BigInt(value), at);
  }
  return buffer;
}

function head(bytes: number, oid: number, length: number, hasNull: boolean): { buffer: Buffer; begin: number } {
  const buffer = Buffer.allocUnsafe(length === 0 ? 12 : bytes);
  let at = buffer.writeInt32BE(length === 0 ? 0 : 1, 0);
  at = buffer.writeInt32BE(hasNull ? 1 : 0, at);
  at = buffer.writeInt32BE(oid, at);
  if (length === 0) return { buffer, begin: at };
  at = buffer.writeInt32BE(length, at);
  at = buffer.writeInt32BE(1, at);
  return { buffer, begin: at };
}
