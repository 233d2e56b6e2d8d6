import { crc32 } from "node:zlib";
import { BlockError, malformed } from "./block-error.ts";
import { ByteReader, ByteWriter } from "./bytes.ts";
import { BLOCK_BYTES_MAX, EVENTS_MAX, SAMPLES_MAX, SIGNALS_MAX } from "./limits.ts";

export const MAGIC = 0x4b42_5354; // "TSBK", little endian
export const VERSION = 1;
export const HASH_BYTES = 16;
const FIXED_BYTES = 4 + 1 + 4 + 4;
const CRC_BYTES = 4;
const SECTIONS_MAX = 4096;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** What a block says of itself without decoding anything. */
export interface BlockHead {
  readonly version: number;
  readonly epoch: string;
  readonly machineId: string;
  readonly firstSeq: number;
  /** firstSeq - 1 when the block holds no event. */
  readonly lastSeq: number;
  readonly firstOffset: number;
  readonly lastOffset: number;
  readonly events: number;
  readonly samples: number;
  /** Earliest and latest time of its events, UTC epoch ms; 0 when it holds none. */
  readonly fromMs: number;
  readonly toMs: number;
  /** blockHash of the stream's block before. */
  readonly previousHash: Buffer;
  readonly headBytes: number;
  readonly bytes: number;
}

export interface Section {
  readonly bytes: number;
  readonly crc: number;
}
export interface FullHead extends BlockHead {
  readonly signals: number;
  /** Events, rare events, directory, slots, order, then the pages of columns; without gaps behind the head. */
  readonly sections: readonly Section[];
}
export const SectionAt = { Events: 0, Rare: 1, Directory: 2, Slots: 3, Order: 4, Pages: 5 } as const;

export type HeadFields = Omit<FullHead, "version" | "headBytes" | "bytes" | "lastSeq">;

export function writeHead(fields: HeadFields): Buffer {
  const out = new ByteWriter(256);
  out.bytes(fields.previousHash);
  out.f64(fields.fromMs);
  out.f64(fields.toMs);
  for (const value of [
    fields.events,
    fields.samples,
    fields.signals,
    fields.firstSeq,
    fields.firstOffset,
    fields.lastOffset,
  ]) {
    out.varint(value);
  }
  const isUuid = UUID.test(fields.epoch);
  out.u8(isUuid ? 1 : 0);
  if (isUuid) out.bytes(Buffer.from(fields.epoch.replaceAll("-", ""), "hex"));
  else out.text(fields.epoch);
  out.text(fields.machineId);
  out.varint(fields.sections.length);
  for (const { bytes, crc } of fields.sections) {
    out.varint(bytes);
    out.u32(crc);
  }
  const rest = out.take();
  const headBytes = FIXED_BYTES + rest.length + CRC_BYTES;
  const head = new ByteWriter(headBytes);
  head.u32(MAGIC);
  head.u8(VERSION);
  head.u32(headBytes);
  head.u32(headBytes + fields.sections.reduce((sum, section) => sum + section.bytes, 0));
  head.bytes(rest);
  head.u32(crc32(head.take()));
  return head.take();
}

/** Everything in the head, the directory of sections included. @throws BlockError as readBlockHead */
export function readFullHead(bytes: Uint8Array): FullHead {
  const input = new ByteReader(bytes);
  if (input.left < FIXED_BYTES) throw new BlockError("truncated", `${bytes.length} bytes are no block's head`);
  if (input.u32() !== MAGIC) throw new BlockError("version", "these bytes are no block: they do not begin with TSBK");
  const version = input.u8();
  if (version !== VERSION) throw new BlockError("version", `block format ${version}; this decoder knows ${VERSION}`);
  const headBytes = input.u32();
  const blockBytes = input.u32();
  if (headBytes > bytes.length) throw new BlockError("truncated", `${bytes.length} bytes of a head of ${headBytes}`);
  if (headBytes < FIXED_BYTES + CRC_BYTES) throw malformed(`a head of ${headBytes} bytes`);
  const covered = bytes.subarray(0, headBytes - CRC_BYTES);
  const crc = new ByteReader(bytes.subarray(headBytes - CRC_BYTES, headBytes)).u32();
  if (crc32(covered) !== crc) throw new BlockError("checksum", "the block's head was altered");
  if (blockBytes > bytes.length) throw new BlockError("truncated", `${bytes.length} bytes of a block of ${blockBytes}`);
  if (blockBytes < bytes.length) throw malformed(`${bytes.length - blockBytes} bytes are left over behind the block`);
  if (blockBytes > BLOCK_BYTES_MAX)
    throw new BlockError("limit", `a block of ${blockBytes} bytes; at most ${BLOCK_BYTES_MAX} are allowed`);
  return readFields(new ByteReader(covered.subarray(FIXED_BYTES)), version, headBytes, blockBytes);
}

function readFields(input: ByteReader, version: number, headBytes: number, bytes: number): FullHead {
  const previousHash = Buffer.from(input.bytes(HASH_BYTES));
  const fromMs = input.f64();
  const toMs = input.f64();
  const [events, samples, signals] = [
    bounded(input, EVENTS_MAX),
    bounded(input, SAMPLES_MAX),
    bounded(input, SIGNALS_MAX),
  ];
  const [firstSeq, firstOffset, lastOffset] = [input.varint(), input.varint(), input.varint()];
  const epoch = input.u8() === 1 ? uuidOf(input.bytes(16)) : input.text();
  const machineId = input.text();
  const sections: Section[] = [];
  const count = input.varint(SECTIONS_MAX);
  for (let i = 0; i < count; i++) {
    sections.push({ bytes: input.varint(BLOCK_BYTES_MAX), crc: input.u32() });
  }
  input.end("the head");
  if (count < SectionAt.Pages) throw malformed(`${count} sections`);
  if (headBytes + sections.reduce((sum, section) => sum + section.bytes, 0) !== bytes) {
    throw malformed("the sections do not add up to the block");
  }
  const lastSeq = firstSeq + events - 1;
  if (!Number.isSafeInteger(lastSeq)) throw malformed("the numbers of the events are out of range");
  return {
    version,
    epoch,
    machineId,
    firstSeq,
    lastSeq,
    firstOffset,
    lastOffset,
    events,
    samples,
    signals,
    fromMs,
    toMs,
    previousHash,
    headBytes,
    bytes,
    sections,
  };
}

function bounded(input: ByteReader, max: number): number {
  const value = input.varint();
  if (value > max) throw new BlockError("limit", `${value} are declared where at most ${max} may be`);
  return value;
}

function uuidOf(bytes: Buffer): string {
  const hex = bytes.toString("hex");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}

/** The sections' bytes, their checksums proved. @throws BlockError checksum */
export function sectionOf(bytes: Uint8Array, head: FullHead, at: number): Uint8Array {
  let start = head.headBytes;
  for (let i = 0; i < at; i++) start += head.sections[i]?.bytes ?? 0;
  const section = head.sections[at];
  if (section === undefined) throw malformed(`there is no section ${at}`);
  const content = bytes.subarray(start, start + section.bytes);
  if (crc32(content) !== section.crc) throw new BlockError("checksum", `section ${at} of the block was altered`);
  return content;
}

export function publicHead({ sections: _, signals: __, ...head }: FullHead): BlockHead {
  return head;
}
