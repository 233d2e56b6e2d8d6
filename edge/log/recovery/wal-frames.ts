import { type OpenFile, readBytes } from "./read-bytes.ts";

/**
 * The write-ahead log as a file: https://www.sqlite.org/fileformat2.html section 4.1 (form) and 4.2 (checksum).
 * A header of 32 bytes, then frames: 24 bytes of frame header and a page each. All numbers are big-endian; only the words
 * that the checksum adds up are of the byte order that the header's magic names.
 */
export const WAL_HEADER_BYTES = 32;
export const FRAME_HEADER_BYTES = 24;
const MAGIC = 0x377f0682; // the lowest bit set: checksums over big-endian words
const VERSION = 3_007_000;
const CHUNK_BYTES = 1 << 20;
export const PAGE_SIZES: readonly number[] = [4_096, 512, 1_024, 2_048, 8_192, 16_384, 32_768, 65_536];

/** The two sums of section 4.2, as 32-bit integers. */
interface Sums {
  a: number;
  b: number;
}

export interface WalShape {
  readonly pageSizeBytes: number;
  readonly bigEndian: boolean;
  /** Frames with these two salts belong to the WAL's present generation. */
  readonly salt1: number;
  readonly salt2: number;
  /** What the first frame's checksum continues from. */
  readonly seed: Readonly<Sums>;
  /** Why SQLite would not accept the header; the rest was then concluded from the frames. */
  readonly headerFault: string | undefined;
}

export interface WalFrame {
  /** From 1, as SQLite counts. */
  readonly index: number;
  readonly pageNumber: number;
  /** Not 0: the last frame of a transaction; the database's size in pages after it. */
  readonly commitPages: number;
  readonly salt1: number;
  readonly salt2: number;
  /** Its checksum continues the stored one of the frame before, or what that should have been. */
  readonly valid: boolean;
  /** It has the present salts, or is chained to a frame that has (a salt is not covered by the checksum). */
  readonly present: boolean;
  /** Where the page begins in the file. */
  readonly pageAtBytes: number;
}

/** Adds `bytes` from `start` to `end` (a multiple of 8) to the sums. Wraps at 32 bits. */
export function addToSums(bytes: Buffer, start: number, end: number, bigEndian: boolean, sums: Sums): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let { a, b } = sums;
  if (bigEndian) {
    for (let at = start; at < end; at += 8) {
      a = (a + view.getInt32(at) + b) | 0;
      b = (b + view.getInt32(at + 4) + a) | 0;
    }
  } else {
    for (let at = start; at < end; at += 8) {
      a = (a + view.getInt32(at, true) + b) | 0;
      b = (b + view.getInt32(at + 4, true) + a) | 0;
    }
  }
  sums.a = a;
  sums.b = b;
}

/** Header and first frames of a WAL that is longer than its header; undefined when neither makes sense. */
export function readWalShape(file: OpenFile): WalShape | undefined {
  const header = Buffer.alloc(WAL_HEADER_BYTES);
  readBytes(file.fd, header, 0);
  const magic = header.readUInt32BE(0);
  const pageSizeBytes = header.readUInt32BE(8);
  const bigEndian = (magic & 1) === 1;
  const fault = headerFault(header, bigEndian);
  const stored = { a: header.readInt32BE(24), b: header.readInt32BE(28) };
  if (fault === undefined || fault.startsWith("version")) {
    const [salt1, salt2] = [header.readUInt32BE(16), header.readUInt32BE(20)];
    return { pageSizeBytes, bigEndian, salt1, salt2, seed: stored, headerFault: fault };
  }
  const sizes = PAGE_SIZES.includes(pageSizeBytes) ? [pageSizeBytes, ...PAGE_SIZES] : PAGE_SIZES;
  for (const size of sizes)
    for (const order of [bigEndian, !bigEndian]) {
      const computed = { a: 0, b: 0 };
      addToSums(header, 0, 24, order, computed);
      const shape = shapeFromFrames(file, size, order, [stored, computed]);
      if (shape) return { ...shape, headerFault: fault };
    }
  return undefined;
}

function headerFault(header: Buffer, bigEndian: boolean): string | undefined {
  if ((header.readUInt32BE(0) & ~1) >>> 0 !== MAGIC) return "its magic number is wrong";
  if (!PAGE_SIZES.includes(header.readUInt32BE(8))) return "its page size is impossible";
  const sums = { a: 0, b: 0 };
  addToSums(header, 0, 24, bigEndian, sums);
  if (sums.a !== header.readInt32BE(24) || sums.b !== header.readInt32BE(28)) return "its checksum is wrong";
  if (header.readUInt32BE(4) !== VERSION) return `version ${header.readUInt32BE(4)} is unknown to SQLite 3`;
  return undefined;
}

/** The shape if one of the first three frames is valid under it: 64 bits of checksum leave no room for chance. */
function shapeFromFrames(
  file: OpenFile,
  pageSizeBytes: number,
  bigEndian: boolean,
  seeds: readonly Readonly<Sums>[], // the first frame continues one of these, if that one is not broken itself
): Omit<WalShape, "headerFault"> | undefined {
  for (const framesMax of [1, 3])
    for (const seed of seeds) {
      const shape = { pageSizeBytes, bigEndian, salt1: 0, salt2: 0, seed, headerFault: undefined };
      for (const frame of walFrames(file, shape)) {
        if (frame.valid) return { ...shape, salt1: frame.salt1, salt2: frame.salt2 };
        if (frame.index === framesMax) break;
      }
    }
  return undefined;
}

/** Whole frames in the file. */
export function frameCount(file: OpenFile, { pageSizeBytes }: { pageSizeBytes: number }): number {
  return Math.max(0, Math.floor((file.sizeBytes - WAL_HEADER_BYTES) / (FRAME_HEADER_BYTES + pageSizeBytes)));
}

/** Every whole frame in the order of the file, read in chunks of about 1 MiB. */
export function* walFrames(file: OpenFile, shape: WalShape): Generator<WalFrame> {
  const frameBytes = FRAME_HEADER_BYTES + shape.pageSizeBytes;
  const frames = frameCount(file, shape);
  const chunkFrames = Math.min(Math.ceil(CHUNK_BYTES / frameBytes), frames);
  const chunk = Buffer.allocUnsafeSlow(chunkFrames * frameBytes);
  let stored: Readonly<Sums> = shape.seed; // of the frame before
  let computed: Readonly<Sums> = shape.seed;
  let present = true;
  for (let index = 1; index <= frames; index++) {
    const inChunk = ((index - 1) % chunkFrames) * frameBytes;
    const frameAtBytes = WAL_HEADER_BYTES + (index - 1) * frameBytes;
    if (inChunk === 0) readBytes(file.fd, chunk, frameAtBytes);
    const own = { a: chunk.readInt32BE(inChunk + 16), b: chunk.readInt32BE(inChunk + 20) };
    const frameSums = (from: Readonly<Sums>): Sums => {
      const sums = { ...from };
      addToSums(chunk, inChunk, inChunk + 8, shape.bigEndian, sums);
      addToSums(chunk, inChunk + FRAME_HEADER_BYTES, inChunk + frameBytes, shape.bigEndian, sums);
      return sums;
    };
    const pageNumber = chunk.readUInt32BE(inChunk);
    let sums = frameSums(stored);
    if (!same(sums, own) && !same(stored, computed)) {
      const other = frameSums(computed);
      if (same(other, own)) sums = other;
    }
    const [salt1, salt2] = [chunk.readUInt32BE(inChunk + 8), chunk.readUInt32BE(inChunk + 12)];
    const valid = pageNumber !== 0 && same(sums, own);
    present = (salt1 === shape.salt1 && salt2 === shape.salt2) || (present && valid);
    yield {
      index,
      pageNumber,
      commitPages: chunk.readUInt32BE(inChunk + 4),
      salt1,
      salt2,
      valid,
      present,
      pageAtBytes: frameAtBytes + FRAME_HEADER_BYTES,
    };
    stored = own;
    computed = sums;
  }
}

function same(one: Readonly<Sums>, other: Readonly<Sums>): boolean {
  return one.a === other.a && one.b === other.b;
}
