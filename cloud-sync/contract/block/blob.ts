import { constants, zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { BlockError, malformed } from "./block-error.ts";
import { RAW_BYTES_MAX } from "./limits.ts";
import { type Coder, directNumber } from "./range-coder.ts";

const COMPRESSED_FROM_BYTES = 48;
const LEVEL = 9;

/** What a decoder may still unpack of one block, whatever its parts say. */
export interface Budget {
  rawBytes: number;
  elements: number;
}

export function zstd(raw: Uint8Array, level = LEVEL): Buffer {
  if (raw.length > RAW_BYTES_MAX) throw new BlockError("limit", `${raw.length} bytes of text in one part of a block`);
  return zstdCompressSync(raw, {
    params: { [constants.ZSTD_c_compressionLevel]: level, [constants.ZSTD_c_contentSizeFlag]: 0 },
  });
}

/** @throws BlockError malformed when it does not unpack to exactly this many bytes, limit when they are too many */
export function unzstd(packed: Uint8Array, rawBytes: number, budget: Budget): Buffer {
  if (rawBytes > budget.rawBytes)
    throw new BlockError("limit", `${rawBytes} bytes are declared where ${budget.rawBytes} may be`);
  budget.rawBytes -= rawBytes;
  let raw: Buffer;
  try {
    raw = zstdDecompressSync(packed, { maxOutputLength: Math.max(1, rawBytes) });
  } catch (cause) {
    throw new BlockError("malformed", `a compressed part does not unpack to ${rawBytes} bytes`, { cause });
  }
  if (raw.length !== rawBytes) throw malformed(`a compressed part holds ${raw.length} bytes and declares ${rawBytes}`);
  return raw;
}

/** Bytes within a coded stream: length, whether zstd was worth it (then that length), the bytes. */
export function encodeBlob(coder: Coder, raw: Uint8Array): void {
  directNumber(coder, raw.length);
  const packed = raw.length >= COMPRESSED_FROM_BYTES ? zstd(raw) : raw;
  const isPacked = packed.length < raw.length - 2;
  coder.direct(isPacked ? 1 : 0, 1);
  if (isPacked) directNumber(coder, packed.length);
  const bytes = isPacked ? packed : raw;
  for (let i = 0; i < bytes.length; i++) coder.direct(bytes[i] as number, 8);
}

export function decodeBlob(coder: Coder, budget: Budget): Buffer {
  const rawBytes = directNumber(coder, 0);
  const isPacked = coder.direct(0, 1) === 1;
  const stored = isPacked ? directNumber(coder, 0) : rawBytes;
  if (rawBytes > budget.rawBytes || stored > budget.rawBytes) {
    throw new BlockError("limit", `${rawBytes} bytes are declared where ${budget.rawBytes} may be`);
  }
  const bytes: number[] = [];
  for (let i = 0; i < stored; i++) bytes.push(coder.direct(0, 8));
  if (isPacked) return unzstd(Buffer.from(bytes), rawBytes, budget);
  budget.rawBytes -= rawBytes;
  return Buffer.from(bytes);
}
