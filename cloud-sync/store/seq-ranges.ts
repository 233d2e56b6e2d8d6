import type { SeqRanges } from "./telemetry-document.ts";

/** Whether a seq is in one of the ranges; quick for one range and for many. */
export function seqFilter(ranges: SeqRanges): (seq: number) => boolean {
  const only = ranges[0];
  if (only === undefined) return () => false;
  if (ranges.length === 1) return (seq) => seq >= only[0] && seq <= only[1];
  return (seq) => {
    let low = 0;
    let high = ranges.length - 1;
    while (low <= high) {
      const middle = (low + high) >>> 1;
      const [first, last] = ranges[middle] as readonly [number, number];
      if (seq < first) high = middle - 1;
      else if (seq > last) low = middle + 1;
      else return true;
    }
    return false;
  };
}

/** Ascending, not touching each other. @param seqs ascending, each once or several times */
export function rangesOf(seqs: Iterable<number>): SeqRanges {
  const ranges: [number, number][] = [];
  let last: [number, number] | undefined;
  for (const seq of seqs) {
    if (last !== undefined && seq <= last[1] + 1) last[1] = Math.max(last[1], seq);
    else {
      last = [seq, seq];
      ranges.push(last);
    }
  }
  return ranges;
}
