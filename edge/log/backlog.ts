import type { ExaminableLog, LogParts } from "./reader.ts";

/** What lies past an offset. */
export interface Backlog {
  readonly events: number;
  readonly readings: number;
}

/**
 * How much of the log a consumer that stands at `offset` still has before it. Nothing is decoded: of a block or a commit
 * that it stands in the middle of, the share of the offsets beyond it counts.
 */
export function backlogPast(log: ExaminableLog, offset: number): Backlog {
  return log.examine((parts) => countPast(parts, offset));
}

function countPast({ database, tail }: LogParts, offset: number): Backlog {
  const sealed = database
    .prepare(`
      SELECT total((last_seq - first_seq + 1) * share) AS events, total(samples * share) AS readings FROM (
        SELECT first_seq, last_seq, samples,
          1.0 * (last_offset - max(first_offset - 1, :offset)) / (last_offset - first_offset + 1) AS share
        FROM block WHERE last_offset > :offset AND state = 'whole')`)
    .get({ offset }) as Backlog;
  let { events, readings } = sealed;
  for (const { firstOffset, lastOffset, samples, isLost } of tail.chunks) {
    const past = lastOffset - Math.max(firstOffset - 1, offset);
    if (isLost || past <= 0) continue;
    events += past;
    readings += (samples * past) / (lastOffset - firstOffset + 1);
  }
  return { events: Math.round(events), readings: Math.round(readings) };
}
