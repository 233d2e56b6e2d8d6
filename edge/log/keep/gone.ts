import type Database from "better-sqlite3";
import type { LedgerState } from "../../../cloud-sync/contract/ledger.ts";

export interface GoneRange {
  readonly machineRef: number;
  readonly firstSeq: number;
  readonly lastSeq: number;
  readonly firstOffset: number;
  readonly cause: LedgerState;
  readonly samples: number;
  readonly fromMs: number;
  readonly toMs: number;
  readonly previousHash: Uint8Array;
  readonly lastHash: Uint8Array;
}

/** Enters a range into the ledger, joined with the one before it where both have one cause and one epoch. */
export function enterGone(
  database: Database.Database,
  range: GoneRange,
  isSameEpoch: (a: number, b: number) => boolean,
): void {
  const before = database
    .prepare(`
      SELECT first_seq AS firstSeq, last_seq AS lastSeq, first_offset AS firstOffset, cause, samples, from_ms AS fromMs,
        to_ms AS toMs, previous_hash AS previousHash FROM gone
      WHERE machine_ref = ? AND first_seq < ? ORDER BY first_seq DESC LIMIT 1`)
    .get(range.machineRef, range.firstSeq) as Omit<GoneRange, "lastHash"> | undefined;
  const isNeighbour =
    before?.lastSeq === range.firstSeq - 1 &&
    before.cause === range.cause &&
    isSameEpoch(before.firstOffset, range.firstOffset);
  const first = isNeighbour ? before : range;
  database
    .prepare(`
      INSERT INTO gone (machine_ref, first_seq, last_seq, first_offset, cause, samples, from_ms, to_ms, previous_hash, last_hash)
      VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
      ON CONFLICT (machine_ref, first_seq) DO UPDATE SET last_seq = excluded.last_seq, samples = excluded.samples,
        from_ms = excluded.from_ms, to_ms = excluded.to_ms, last_hash = excluded.last_hash`)
    .run(
      range.machineRef,
      first.firstSeq,
      range.lastSeq,
      first.firstOffset,
      range.cause,
      range.samples + (isNeighbour ? before.samples : 0),
      isNeighbour ? Math.min(before.fromMs, range.fromMs) : range.fromMs,
      isNeighbour ? Math.max(before.toMs, range.toMs) : range.toMs,
      first.previousHash,
      range.lastHash,
    );
}
