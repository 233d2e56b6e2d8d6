import type { Sql } from "../../../database/database.ts";
import type { LedgerRangeView } from "./schema.ts";

/** Ranges of a stream that are read; a stream with more is told as such. */
const RANGES_READ_MAX = 300;
/** Ranges of a stream that are told. */
const RANGES_MAX = 50;

export interface StreamKey {
  readonly machineId: string;
  readonly epoch: string;
  readonly firstSeq: number;
  readonly lastSeq: number;
  readonly numbered: boolean;
}

interface RangeRow {
  readonly machine_id: string;
  readonly epoch: string;
  readonly first_seq: number;
  readonly last_seq: number;
  readonly state: "here" | "thinned" | "lost";
  readonly cause: string;
}

export interface StreamRanges {
  readonly ranges: LedgerRangeView[];
  readonly moreRanges: boolean;
}

/** What is not here of each stream, in the order of the streams. */
export async function readRanges(sql: Sql, streams: readonly StreamKey[]): Promise<StreamRanges[]> {
  if (streams.length === 0) return [];
  const machineIds = [...new Set(streams.map(({ machineId }) => machineId))];
  const epochs = [...new Set(streams.map(({ epoch }) => epoch))];
  const { rows } = await sql.query<RangeRow>(
    `SELECT s.machine_id, s.epoch, r.first_seq, r.last_seq, r.state, r.cause
       FROM model.ledger_stream s
       JOIN LATERAL (SELECT r.first_seq, r.last_seq, r.state, r.cause FROM model.ledger_range r
                      WHERE r.machine_id = s.machine_id AND r.epoch = s.epoch
                      ORDER BY r.first_seq LIMIT ${RANGES_READ_MAX + 1}) r ON true
      WHERE s.machine_id = ANY ($1) AND s.epoch = ANY ($2)`,
    [machineIds, epochs],
  );
  const keyOf = (machineId: string, epoch: string): string => JSON.stringify([machineId, epoch]);
  const byStream = Map.groupBy(rows, (row) => keyOf(row.machine_id, row.epoch));
  return streams.map((stream) => notHere(stream, byStream.get(keyOf(stream.machineId, stream.epoch)) ?? []));
}

/** The ranges that are lost or thinned, and the holes between all ranges, which are missing. */
export function notHere(
  stream: StreamKey,
  rows: readonly Pick<RangeRow, "first_seq" | "last_seq" | "state" | "cause">[],
): StreamRanges {
  const isCut = rows.length > RANGES_READ_MAX;
  const ranges: LedgerRangeView[] = [];
  let next = stream.firstSeq;
  const hole = (untilSeq: number): void => {
    if (stream.numbered && untilSeq > next)
      ranges.push({ firstSeq: next, lastSeq: untilSeq - 1, state: "missing", cause: "" });
  };
  for (const { first_seq, last_seq, state, cause } of rows
    .slice(0, RANGES_READ_MAX)
    .toSorted((a, b) => a.first_seq - b.first_seq)) {
    hole(first_seq);
    if (state !== "here") ranges.push({ firstSeq: first_seq, lastSeq: last_seq, state, cause });
    next = Math.max(next, last_seq + 1);
  }
  if (!isCut) hole(stream.lastSeq + 1);
  return { ranges: ranges.slice(0, RANGES_MAX), moreRanges: isCut || ranges.length > RANGES_MAX };
}
