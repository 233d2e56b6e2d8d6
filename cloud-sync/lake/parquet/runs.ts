import type { ByteWriter } from "../../contract/block/bytes.ts";

const RUN_MIN = 8;
const GROUP = 8;

/** Bits that a number up to `most` takes. */
export function bitsOf(most: number): number {
  return most === 0 ? 0 : 32 - Math.clz32(most);
}

/**
 * Parquet's hybrid of runs and bit-packed groups of eight, for indices and levels.
 * @param bits width of a value, 0 to 32
 */
export function writeRuns(out: ByteWriter, values: Uint32Array | Uint8Array, bits: number): void {
  const { length } = values;
  let at = 0;
  let groupsFrom = 0;
  while (at < length) {
    const value = values[at] as number;
    let end = at + 1;
    while (end < length && values[end] === value) end++;
    if (end - at >= RUN_MIN) {
      writeGroups(out, values, groupsFrom, at, bits);
      out.varint((end - at) * 2);
      for (let shift = 0; shift < bits; shift += 8) out.u8((value >>> shift) & 0xff);
      at = end;
      groupsFrom = end;
    } else {
      // A group may not be cut: the next one begins at a multiple of eight from where packing began.
      at = Math.min(length, groupsFrom + Math.ceil((end - groupsFrom) / GROUP) * GROUP);
    }
  }
  writeGroups(out, values, groupsFrom, length, bits);
}

function writeGroups(out: ByteWriter, values: Uint32Array | Uint8Array, from: number, to: number, bits: number): void {
  if (from === to) return;
  const groups = Math.ceil((to - from) / GROUP);
  out.varint(groups * 2 + 1);
  packBits(out, values, from, groups * GROUP, bits);
}

/** Little-endian bit packing of `count` values from `from`; past the end there are zeros. */
function packBits(out: ByteWriter, values: Uint32Array | Uint8Array, from: number, count: number, bits: number): void {
  const packed = Buffer.alloc((count * bits) / 8);
  const last = Math.min(values.length, from + count);
  if (bits === 8) for (let i = from; i < last; i++) packed[i - from] = values[i] as number;
  else if (bits === 16) for (let i = from; i < last; i++) packed.writeUInt16LE(values[i] as number, (i - from) * 2);
  else {
    let position = 0;
    for (let i = from; i < last; i++) {
      let rest = values[i] as number;
      let left = bits;
      while (left > 0) {
        const free = 8 - (position & 7);
        const take = free < left ? free : left;
        const at = position >> 3;
        packed[at] = (packed[at] as number) | ((rest & ((1 << take) - 1)) << (position & 7));
        rest >>>= take;
        left -= take;
        position += take;
      }
    }
  }
  out.bytes(packed);
}
