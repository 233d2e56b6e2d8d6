import type { DocumentFields } from "../../telemetry-document.ts";

/** A document that holds a block, without its body. */
export interface Candidate {
  readonly stream: string;
  readonly part: string;
  readonly id: string;
  readonly storedOn: string;
  readonly storedMs: number;
  readonly position: number;
  readonly fields: DocumentFields;
  /** Of the body. */
  readonly bytes: number;
}

export interface RepackLimits {
  /** A block of so many readings is large enough, and one of half as many is left alone. */
  readonly readingsWanted: number;
  /** Documents that become one at most. */
  readonly documentsMax: number;
  /** What has not become a large block after this time will not. */
  readonly settleMs: number;
}

/** Of the simulated cells, bodies of three seconds take 5.2 bytes a reading, those of 6,000 readings 0.6, of 20,000 0.4. */
export const REPACK_LIMITS: RepackLimits = { readingsWanted: 20_000, documentsMax: 128, settleMs: 3_600_000 };
/** Bodies that are put together; the block becomes smaller, and is bounded by BLOCK_BYTES_MAX. */
const RUN_BYTES_MAX = 200 * 1024;

export interface Plan {
  /** Documents of one stream, part and day, ascending in seq, two at least; each becomes one document, or a few. */
  readonly runs: readonly (readonly Candidate[])[];
  /** All up to this position is as it stays. */
  readonly doneTo: number;
}

/**
 * Which documents are to be put together.
 * @param candidates ascending in position
 * @param isCut there are more behind them, which were not looked at
 */
export function planRuns(
  candidates: readonly Candidate[],
  limits: RepackLimits,
  { nowMs, isCut }: { nowMs: number; isCut: boolean },
): Plan {
  const found = Object.values(
    Object.groupBy(candidates, ({ stream, part, storedOn }) => `${stream}\0${part}\0${storedOn}`),
  ).flatMap((group) => runsOf(group ?? [], limits));
  const isOpen = ({ documents, isFull }: Run): boolean =>
    !isFull && documents.every(({ storedMs }) => nowMs - storedMs < limits.settleMs);
  const open = found.filter(isOpen);
  const last = candidates.at(-1)?.position ?? 0;
  const first = candidates[0]?.position ?? 0;
  const heldAt = open
    .flatMap(({ documents }) => documents)
    .reduce((least, { position }) => Math.min(least, position), last + 1);
  // What is open must not fill the whole view: nothing would ever come behind it.
  const isStuck = isCut && heldAt <= first;
  const done = isStuck ? found : found.filter((run) => !isOpen(run));
  return {
    runs: done.map(({ documents }) => documents).filter(({ length }) => length > 1),
    doneTo: isStuck ? last : heldAt - 1,
  };
}

interface Run {
  readonly documents: readonly Candidate[];
  readonly isFull: boolean;
}

function runsOf(group: readonly Candidate[], limits: RepackLimits): Run[] {
  const runs: Run[] = [];
  let documents: Candidate[] = [];
  let readings = 0;
  let bytes = 0;
  const end = (isFull: boolean): void => {
    if (documents.length > 0) runs.push({ documents, isFull });
    documents = [];
    readings = 0;
    bytes = 0;
  };
  for (const candidate of group.toSorted((a, b) => a.fields.firstSeq - b.fields.firstSeq)) {
    const last = documents.at(-1);
    if (candidate.fields.samples * 2 >= limits.readingsWanted) {
      end(last !== undefined && isNext(last, candidate));
      continue;
    }
    if (last !== undefined && !isNext(last, candidate)) end(false);
    if (bytes + candidate.bytes > RUN_BYTES_MAX) end(true);
    documents.push(candidate);
    readings += candidate.fields.samples;
    bytes += candidate.bytes;
    if (readings >= limits.readingsWanted || documents.length >= limits.documentsMax) end(true);
  }
  end(false);
  return runs;
}

/** Whether nothing can come between the two any more; where only a part of a block counts, its head decides, when it is read. */
function isNext({ fields: a }: Candidate, { fields: b }: Candidate): boolean {
  const isSameOrigin = a.epoch === b.epoch && a.deviceId === b.deviceId && a.factoryId === b.factoryId;
  return isSameOrigin && (b.firstSeq === a.lastSeq + 1 || (b.admitted !== undefined && b.firstSeq > a.lastSeq));
}
