import { lessOf, unionOf } from "../store/seq-sets.ts";
import { SEQS_PER_PARTITION, type SeqRanges } from "../store/telemetry-document.ts";

/** Something that arrived, and the seqs of its events within one partition. */
export interface Offer {
  readonly seqs: SeqRanges;
}

/** What of the offers is new. */
export interface Admissions<T extends Offer> {
  /** In the order of the offers; those of which nothing is new are left out. */
  readonly fresh: readonly { readonly offer: T; readonly seqs: SeqRanges }[];
  /** All that is here with them. */
  readonly admitted: SeqRanges;
}

/**
 * Decides which events count: those whose seq is in no range of `known`, and in no offer before. An event is so in one document,
 * however often and in whatever pieces it comes.
 *
 * The ranges of a stream that is numbered without holes grow together again: what is missing comes later, or never. Until then each
 * hole costs a range; a partition has SEQS_PER_PARTITION seqs, so there are half as many ranges at most, and what they take in the
 * store is bounded by a bit for each seq (admitted-document.ts).
 */
export function admit<T extends Offer>(known: SeqRanges, offers: readonly T[]): Admissions<T> {
  const fresh: { offer: T; seqs: SeqRanges }[] = [];
  let admitted = known;
  for (const offer of offers) {
    const seqs = lessOf(offer.seqs, admitted);
    if (seqs.length === 0) continue;
    fresh.push({ offer, seqs });
    admitted = unionOf(admitted, seqs);
  }
  return { fresh, admitted };
}

/** A run of seqs, cut where partitions begin. */
export function perPartition(firstSeq: number, lastSeq: number): (readonly [number, number])[] {
  const runs: (readonly [number, number])[] = [];
  for (let from = firstSeq; from <= lastSeq; ) {
    const end = (Math.floor(from / SEQS_PER_PARTITION) + 1) * SEQS_PER_PARTITION - 1;
    runs.push([from, Math.min(lastSeq, end)]);
    from = end + 1;
  }
  return runs;
}
