import { ByteReader, ByteWriter } from "../block/bytes.ts";
import { RAW_BYTES_MAX, SIGNALS_MAX } from "../block/limits.ts";
import { pack, unpack } from "../block/text-pack.ts";

/**
 * What is left of a range whose readings had to make room before they were sent: one-minute aggregates of each signal.
 *
 *   part     = epoch text, machine id text, first and last seq, first and last offset, readings that were there: varint each,
 *              packing u8, raw bytes varint, packed bytes varint, packed names: number of names varint, each as text;
 *              then the aggregates, as the log holds them: a zstd frame with a checksum, of
 *                version u8 (1), bytes of the first part varint, first part, second part
 *                first part: signals varint, for each: its number as distance to the one before - 1 varint, cells varint, for each:
 *                  minute (received time / 60,000) and count as zigzag distances to the cell before, form u8: number mode + 1, 16 if
 *                  all values were alike
 *                second part: for each cell min and max in that form, mean u16 as its place between them
 * A signal's number is its place among the names.
 */
export interface RollupPart {
  readonly epoch: string;
  readonly machineId: string;
  /** Both included. */
  readonly firstSeq: number;
  readonly lastSeq: number;
  readonly firstOffset: number;
  readonly lastOffset: number;
  /** Readings that were there. */
  readonly samples: number;
  /** Names of signals by the numbers that the aggregates use; "" for one that they do not use. */
  readonly names: readonly string[];
  /** One-minute aggregates; undefined when nothing could be aggregated. */
  readonly aggregates: Uint8Array | undefined;
}

export function writeRollupPart(part: RollupPart): Buffer {
  const names = new ByteWriter(256);
  names.varint(part.names.length);
  for (const name of part.names) names.text(name);
  const packed = pack(names.take());
  const out = new ByteWriter(256 + packed.bytes.length + (part.aggregates?.length ?? 0));
  out.text(part.epoch);
  out.text(part.machineId);
  for (const value of [part.firstSeq, part.lastSeq, part.firstOffset, part.lastOffset, part.samples]) out.varint(value);
  out.u8(packed.packing);
  out.varint(names.length);
  out.varint(packed.bytes.length);
  out.bytes(packed.bytes);
  if (part.aggregates) out.bytes(part.aggregates);
  return out.take();
}

/** @throws BlockError when the bytes are none */
export function readRollupPart(bytes: Uint8Array): RollupPart {
  const input = new ByteReader(bytes);
  const [epoch, machineId] = [input.text(), input.text()];
  const [firstSeq, lastSeq] = [input.varint(), input.varint()];
  const [firstOffset, lastOffset, samples] = [input.varint(), input.varint(), input.varint()];
  const packing = input.u8();
  const rawBytes = input.varint(RAW_BYTES_MAX);
  const packed = { packing, bytes: input.bytes(input.varint(RAW_BYTES_MAX)) };
  const raw = new ByteReader(unpack(packed, rawBytes, { rawBytes: RAW_BYTES_MAX, elements: 0 }));
  const names = Array.from({ length: raw.varint(SIGNALS_MAX) }, () => raw.text());
  raw.end("the names");
  const aggregates = input.left > 0 ? input.bytes(input.left) : undefined;
  return { epoch, machineId, firstSeq, lastSeq, firstOffset, lastOffset, samples, names, aggregates };
}
