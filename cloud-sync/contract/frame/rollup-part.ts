import { BlockError, malformed } from "../block/block-error.ts";
import { ByteReader, ByteWriter } from "../block/bytes.ts";
import { EVENTS_MAX, RAW_BYTES_MAX, SAMPLES_MAX, SIGNALS_MAX } from "../block/limits.ts";
import { type Budget, pack, unpack } from "../block/text-pack.ts";

/** Far more than a frame of names that differ can hold. */
const NAMES_MAX = 1_000_000;
const NAMES_BYTES_MAX = 64 * 1024 * 1024;

/**
 * What is left of a range whose readings had to make room before they were sent: one-minute aggregates of each signal.
 *
 *   part     = epoch text, machine id text, first and last seq, first and last offset, readings that were there: varint each,
 *              packing u8, raw bytes varint, packed bytes varint, packed names: number of names varint, each as text;
 *              then the aggregates as the log holds them, a roll-up (rollup/rollup.ts), or nothing
 * A signal's number in the roll-up is its place among the names. The range is that of one block, and has its limits.
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
  /** The roll-up's bytes; undefined when nothing could be aggregated. */
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

/** What the names of one frame's roll-ups may take together, unpacked; `elements` counts names. */
export function namesBudget(): Budget {
  return { rawBytes: NAMES_BYTES_MAX, elements: NAMES_MAX };
}

/**
 * @param budget what names may still take; what they do take is taken off
 * @throws BlockError when the bytes are none
 */
export function readRollupPart(bytes: Uint8Array, budget = namesBudget()): RollupPart {
  const input = new ByteReader(bytes);
  const [epoch, machineId] = [input.text(), input.text()];
  const [firstSeq, lastSeq] = [input.varint(), input.varint()];
  const [firstOffset, lastOffset, samples] = [input.varint(), input.varint(), input.varint(SAMPLES_MAX)];
  if (firstSeq > lastSeq || lastSeq - firstSeq >= EVENTS_MAX || firstOffset > lastOffset)
    throw malformed(`a roll-up of events ${firstSeq} to ${lastSeq} at ${firstOffset} to ${lastOffset}`);
  const packing = input.u8();
  const rawBytes = input.varint(RAW_BYTES_MAX);
  const packed = { packing, bytes: input.bytes(input.varint(RAW_BYTES_MAX)) };
  const raw = new ByteReader(unpack(packed, rawBytes, budget));
  const count = raw.varint(SIGNALS_MAX);
  if (count > budget.elements) throw new BlockError("limit", `more than ${NAMES_MAX} names of signals in one frame`);
  budget.elements -= count;
  const names = Array.from({ length: count }, () => raw.text());
  raw.end("the names");
  const aggregates = input.left > 0 ? input.bytes(input.left) : undefined;
  return { epoch, machineId, firstSeq, lastSeq, firstOffset, lastOffset, samples, names, aggregates };
}
