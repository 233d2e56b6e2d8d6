import type { SeqRanges } from "./telemetry-document.ts";

/** Sets of seqs as ranges: ascending, both ends included, not touching each other. */

/** Seqs that are in either. */
export function unionOf(a: SeqRanges, b: SeqRanges): SeqRanges {
  if (a.length === 0 || b.length === 0) return a.length === 0 ? b : a;
  const merged: [number, number][] = [];
  let last: [number, number] | undefined;
  for (let i = 0, j = 0; i < a.length || j < b.length; ) {
    const [left, right] = [a[i], b[j]];
    const next = right === undefined || (left !== undefined && left[0] <= right[0]) ? left : right;
    if (next === left) i++;
    else j++;
    const [first, end] = next as readonly [number, number];
    if (last !== undefined && first <= last[1] + 1) last[1] = Math.max(last[1], end);
    else {
      last = [first, end];
      merged.push(last);
    }
  }
  return merged;
}

/** Seqs of a that are not in b. */
export function lessOf(a: SeqRanges, b: SeqRanges): SeqRanges {
  const left: [number, number][] = [];
  for (const [first, last] of a) {
    let from = first;
    for (let i = firstEndingFrom(b, first); i < b.length; i++) {
      const [known, end] = b[i] as readonly [number, number];
      if (known > last) break;
      if (known > from) left.push([from, known - 1]);
      from = end + 1;
    }
    if (from <= last) left.push([from, last]);
  }
  return left;
}

/** Those from first to last. */
export function clippedTo(ranges: SeqRanges, first: number, last: number): SeqRanges {
  const inside: [number, number][] = [];
  for (let i = firstEndingFrom(ranges, first); i < ranges.length; i++) {
    const [from, to] = ranges[i] as readonly [number, number];
    if (from > last) break;
    inside.push([Math.max(from, first), Math.min(to, last)]);
  }
  return inside;
}

export function countOf(ranges: SeqRanges): number {
  let count = 0;
  for (const [first, last] of ranges) count += last - first + 1;
  return count;
}

/** Index of the first range that ends at seq or behind it. */
function firstEndingFrom(ranges: SeqRanges, seq: number): number {
  let [low, high] = [0, ranges.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((ranges[middle]?.[1] ?? 0) < seq) low = middle + 1;
    else high = middle;
  }
  return low;
}
