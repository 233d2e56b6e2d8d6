import type { ByteWriter } from "../../contract/block/bytes.ts";

const BLOCK = 128;
const MINIBLOCKS = 4;
const MINIBLOCK = BLOCK / MINIBLOCKS;

/** DELTA_BINARY_PACKED of safe integers. */
export function writeDeltas(out: ByteWriter, values: Float64Array): void {
  out.varint(BLOCK);
  out.varint(MINIBLOCKS);
  out.varint(values.length);
  out.zigzag(values[0] ?? 0);
  const deltas = new Float64Array(BLOCK);
  for (let from = 1; from < values.length; from += BLOCK) {
    const count = Math.min(BLOCK, values.length - from);
    let least = Number.POSITIVE_INFINITY;
    for (let i = 0; i < count; i++) {
      const delta = (values[from + i] as number) - (values[from + i - 1] as number);
      deltas[i] = delta;
      if (delta < least) least = delta;
    }
    out.zigzag(least);
    const widths: number[] = [];
    for (let m = 0; m < MINIBLOCKS; m++) {
      let most = 0;
      for (let i = m * MINIBLOCK; i < Math.min(count, (m + 1) * MINIBLOCK); i++) {
        deltas[i] = (deltas[i] as number) - least;
        if ((deltas[i] as number) > most) most = deltas[i] as number;
      }
      widths.push(widthOf(most));
      out.u8(widths[m] as number);
    }
    deltas.fill(0, count);
    for (let m = 0; m < MINIBLOCKS; m++) {
      if (m * MINIBLOCK < count) writeMiniblock(out, deltas, m * MINIBLOCK, widths[m] as number);
    }
  }
}

function widthOf(most: number): number {
  return most < 2 ** 32 ? 32 - Math.clz32(most) : 32 + widthOf(Math.floor(most / 2 ** 32));
}

function writeMiniblock(out: ByteWriter, deltas: Float64Array, from: number, width: number): void {
  if (width === 0) return;
  const bytes = Buffer.alloc((MINIBLOCK * width) / 8);
  let position = 0;
  for (let i = from; i < from + MINIBLOCK; i++) {
    let rest = deltas[i] as number;
    let left = width;
    while (left > 0) {
      const free = 8 - (position & 7);
      const take = free < left ? free : left;
      const at = position >> 3;
      const part = rest % 2 ** take;
      bytes[at] = (bytes[at] as number) | (part << (position & 7));
      rest = (rest - part) / 2 ** take;
      left -= take;
      position += take;
    }
  }
  out.bytes(bytes);
}
