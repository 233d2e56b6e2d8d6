import { EdgeError } from "../../edge/kernel/errors.ts";
import { ByteReader, ByteWriter } from "../contract/block/bytes.ts";
import type { NewDocument, StoredDocument } from "../store/event-store.ts";
import { countOf } from "../store/seq-sets.ts";
import { SEQS_PER_PARTITION, type SeqRanges } from "../store/telemetry-document.ts";

export const ADMITTED_ID = "admitted";

/**
 * Body of the document that holds what is here of a partition, relative to the partition's first seq:
 *   0, then for each range: seqs passed over varint, its seqs less one varint; or
 *   1, then a bit for each seq of the partition, the lowest first, when that is shorter.
 * So it never takes more than BITMAP_BYTES and a byte, whatever came in which order.
 */
const FORM = { ranges: 0, bitmap: 1 } as const;
const BITMAP_BYTES = SEQS_PER_PARTITION / 8;

export interface PartitionStart {
  readonly epoch: string;
  readonly machineId: string;
  /** The lowest seq that the partition may hold. */
  readonly baseSeq: number;
}

export function admittedDocument({ epoch, machineId, baseSeq }: PartitionStart, ranges: SeqRanges): NewDocument {
  return {
    id: ADMITTED_ID,
    kind: "admitted",
    fields: { epoch, machineId, baseSeq, events: countOf(ranges), ranges: ranges.length },
    body: encodeRanges(ranges, baseSeq),
    ttl: "never",
    inFeed: false,
  };
}

/** @throws EdgeError STORE_REFUSED when the store gives back something else than what was written */
export function readAdmitted({ kind, fields, body, partition }: StoredDocument, baseSeq: number): SeqRanges {
  try {
    if (kind !== "admitted" || fields.baseSeq !== baseSeq || body === undefined)
      throw new Error("it is another document");
    const ranges = decodeRanges(body, baseSeq);
    if (countOf(ranges) !== fields.events) throw new Error("its ranges are not those that it counts");
    return ranges;
  } catch (cause) {
    throw new EdgeError(
      "STORE_REFUSED",
      `what is here of ${partition.stream} (${partition.part}) cannot be read: ${(cause as Error).message}`,
      { cause, hint: "The document was altered in the store; remove it only if its events may be counted twice." },
    );
  }
}

export function encodeRanges(ranges: SeqRanges, baseSeq: number): Uint8Array {
  // Each range takes two bytes at least, so with more of them the bits are shorter for sure.
  if (ranges.length * 2 < BITMAP_BYTES) {
    const out = new ByteWriter(1 + ranges.length * 4);
    out.u8(FORM.ranges);
    let next = baseSeq;
    for (const [first, last] of ranges) {
      out.varint(first - next);
      out.varint(last - first);
      next = last + 1;
    }
    if (out.length <= BITMAP_BYTES) return out.take();
  }
  const bits = new Uint8Array(1 + BITMAP_BYTES);
  bits[0] = FORM.bitmap;
  for (const [first, last] of ranges) {
    for (let at = first - baseSeq; at <= last - baseSeq; at++) {
      const index = 1 + (at >>> 3);
      bits[index] = (bits[index] as number) | (1 << (at & 7));
    }
  }
  return bits;
}

function decodeRanges(body: Uint8Array, baseSeq: number): SeqRanges {
  const ranges: [number, number][] = [];
  if (body[0] === FORM.bitmap && body.length === 1 + BITMAP_BYTES) {
    let first = -1;
    for (let at = 0; at <= SEQS_PER_PARTITION; at++) {
      const isHere = at < SEQS_PER_PARTITION && ((body[1 + (at >>> 3)] as number) & (1 << (at & 7))) !== 0;
      if (isHere && first < 0) first = at;
      if (!isHere && first >= 0) {
        ranges.push([baseSeq + first, baseSeq + at - 1]);
        first = -1;
      }
    }
    return ranges;
  }
  const input = new ByteReader(body);
  if (input.u8() !== FORM.ranges) throw new Error("its form is unknown");
  let next = baseSeq;
  while (input.left > 0) {
    const first = next + input.varint(SEQS_PER_PARTITION);
    const last = first + input.varint(SEQS_PER_PARTITION);
    if (last >= baseSeq + SEQS_PER_PARTITION) throw new Error("a range leaves the partition");
    ranges.push([first, last]);
    next = last + 1;
  }
  return ranges;
}
