import { constants, deflateRawSync, inflateRawSync, zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { BlockError, malformed } from "./block-error.ts";
import { RAW_BYTES_MAX } from "./limits.ts";
import { VOCABULARY } from "./vocabulary.ts";

/** How text-like bytes are compressed. */
export const Packing = {
  Stored: 0,
  /** Raw deflate with the vocabulary as preset dictionary. */
  Deflate: 1,
  Zstd: 2,
} as const;
export interface Packed {
  readonly packing: number;
  readonly bytes: Uint8Array;
}

/** What a decoder may still unpack of one block, whatever its parts say. */
export interface Budget {
  rawBytes: number;
  elements: number;
}

const dictionary = Buffer.from(VOCABULARY);
const ZSTD_LEVEL = 9;
/** The dictionary is worth nothing beyond; shorter texts are not worth trying zstd. */
const DEFLATE_BYTES_MAX = 32_768;
const ZSTD_BYTES_MIN = 256;
const PACKED_BYTES_MIN = 16;

/** @throws BlockError limit when there is more than a decoder would unpack */
export function pack(raw: Uint8Array): Packed {
  if (raw.length > RAW_BYTES_MAX) throw new BlockError("limit", `${raw.length} bytes of text in one part of a block`);
  let best: Packed = { packing: Packing.Stored, bytes: raw };
  const offer = (packing: number, bytes: Uint8Array): void => {
    if (bytes.length < best.bytes.length) best = { packing, bytes };
  };
  if (raw.length >= PACKED_BYTES_MIN && raw.length <= DEFLATE_BYTES_MAX) {
    offer(Packing.Deflate, deflateRawSync(raw, { dictionary, level: 9, memLevel: 9 }));
  }
  if (raw.length >= ZSTD_BYTES_MIN) {
    const params = { [constants.ZSTD_c_compressionLevel]: ZSTD_LEVEL, [constants.ZSTD_c_contentSizeFlag]: 0 };
    offer(Packing.Zstd, zstdCompressSync(raw, { params }));
  }
  return best;
}

/** @throws BlockError malformed when it does not unpack to exactly this many bytes, limit when they are too many */
export function unpack({ packing, bytes }: Packed, rawBytes: number, budget: Budget): Uint8Array {
  claim(rawBytes, budget);
  const raw = unpacked(packing, bytes, rawBytes);
  if (raw.length !== rawBytes) throw malformed(`a text part holds ${raw.length} bytes and declares ${rawBytes}`);
  return raw;
}

function claim(rawBytes: number, budget: Budget): void {
  if (rawBytes > RAW_BYTES_MAX || rawBytes > budget.rawBytes) {
    throw new BlockError("limit", `${rawBytes} bytes of text are declared, more than a block may hold`);
  }
  budget.rawBytes -= rawBytes;
}

function unpacked(packing: number, bytes: Uint8Array, rawBytes: number): Uint8Array {
  if (packing === Packing.Stored) return bytes;
  if (packing !== Packing.Deflate && packing !== Packing.Zstd) throw malformed(`packing ${packing}`);
  const maxOutputLength = Math.max(1, rawBytes);
  // One piece of output when it is small: most texts are.
  const chunkSize = Math.min(Math.max(64, rawBytes + 1), 65_536);
  try {
    return packing === Packing.Deflate
      ? inflateRawSync(bytes, { dictionary, maxOutputLength, chunkSize })
      : zstdDecompressSync(bytes, { maxOutputLength, chunkSize });
  } catch (cause) {
    throw new BlockError("malformed", `a text part does not unpack to ${rawBytes} bytes`, { cause });
  }
}
