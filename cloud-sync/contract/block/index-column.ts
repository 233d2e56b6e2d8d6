import { fairBits } from "./adaptive-bit.ts";
import { malformed } from "./block-error.ts";
import { IntegerCode } from "./integer-code.ts";
import { bitLength, type Coder } from "./range-coder.ts";

const HISTORY = 16;
const TREE_MAX = 16;

/**
 * Which entry of a dictionary stands where. The first is entry 0. Then a bit each: the same as before? When not: of two entries the
 * other one; of up to sixteen a binary tree by the one before (machines go from state to state in an order); of more the
 * distance to the entry before.
 */
export function codeIndexes(coder: Coder, indexes: Uint32Array, entries: number): void {
  const holdBits = fairBits(HISTORY);
  const width = bitLength(entries - 1);
  const tree = entries > 2 && entries <= TREE_MAX ? fairBits(TREE_MAX * TREE_MAX) : undefined;
  const distance = entries > TREE_MAX ? new IntegerCode() : undefined;
  let previous = 0;
  let history = 0;
  for (let i = 1; i < indexes.length; i++) {
    const wanted = indexes[i] as number;
    const held = coder.bit(holdBits, history, wanted === previous ? 1 : 0);
    history = ((history << 1) | held) & (HISTORY - 1);
    if (held === 0) {
      if (tree) previous = codeTree(coder, tree, previous * TREE_MAX, width, wanted);
      else if (distance) previous += distance.code(coder, wanted - previous);
      else previous = 1 - previous;
      if (!(previous >= 0 && previous < entries)) throw malformed(`entry ${previous} of a dictionary of ${entries}`);
    }
    indexes[i] = previous;
  }
}

/** A number of `width` bits, the higher ones first, each by a model that knows the ones before. */
export function codeTree(coder: Coder, models: Int32Array, at: number, width: number, value: number): number {
  let node = 1;
  for (let shift = width - 1; shift >= 0; shift--) {
    node = (node << 1) | coder.bit(models, at + node, (value >> shift) & 1);
  }
  return node - (1 << width);
}
