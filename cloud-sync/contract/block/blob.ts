import { BlockError } from "./block-error.ts";
import { type Coder, directNumber } from "./range-coder.ts";
import { type Budget, type Packed, Packing, pack, unpack } from "./text-pack.ts";

/** Shorter ones are not worth trying. */
const PACKED_BYTES_MIN = 40;
const BYTES_MAX = 256 * 1024;

export interface Blob extends Packed {
  readonly rawBytes: number;
}

/** @throws BlockError limit when there is more than a decoder would unpack */
export function blobOf(raw: Uint8Array): Blob {
  return raw.length < PACKED_BYTES_MIN
    ? { packing: Packing.Stored, bytes: raw, rawBytes: raw.length }
    : { ...pack(raw), rawBytes: raw.length };
}

/** Bytes within a coded stream: their number, how they are packed, the number of packed bytes when they are, the bytes. */
export function encodeBlob(coder: Coder, { packing, bytes, rawBytes }: Blob): void {
  directNumber(coder, rawBytes);
  coder.direct(packing, 2);
  if (packing !== 0) directNumber(coder, bytes.length);
  for (let i = 0; i < bytes.length; i++) coder.direct(bytes[i] as number, 8);
}

export function decodeBlob(coder: Coder, budget: Budget): Uint8Array {
  const rawBytes = directNumber(coder, 0);
  const packing = coder.direct(0, 2);
  const stored = packing === 0 ? rawBytes : directNumber(coder, 0);
  if (stored > BYTES_MAX) throw new BlockError("limit", `${stored} bytes are declared within a column`);
  const bytes = new Uint8Array(stored);
  for (let i = 0; i < stored; i++) bytes[i] = coder.direct(0, 8);
  return unpack({ packing, bytes }, rawBytes, budget);
}
