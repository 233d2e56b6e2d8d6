import type Database from "better-sqlite3";
import type { LedgerRange, LedgerState } from "../../cloud-sync/contract/ledger.ts";
import type { Epochs } from "./epochs.ts";
import type { Tail } from "./tail/tail.ts";

interface Row {
  readonly machineId: string;
  readonly firstSeq: number;
  readonly lastSeq: number;
  readonly firstOffset: number;
  readonly state: "whole" | LedgerState;
  readonly samples: number;
  readonly fromMs: number;
  readonly toMs: number;
  readonly previousHash: Buffer;
  readonly hash: Buffer;
}

/**
 * What became of every seq: blocks, what is no longer here, and the tail, by machine and seq. Runs within a transaction in
 * which the tail has been refreshed.
 */
export function readLedger(database: Database.Database, tail: Tail, epochs: Epochs, machineId?: string): LedgerRange[] {
  const where = machineId === undefined ? "" : "WHERE machine_id = ?";
  const parameters = machineId === undefined ? [] : [machineId];
  const columns =
    "machine_id AS machineId, first_seq AS firstSeq, part.last_seq AS lastSeq, first_offset AS firstOffset";
  const times = "samples, from_ms AS fromMs, to_ms AS toMs, part.previous_hash AS previousHash";
  const sealed = database
    .prepare(`
      SELECT ${columns}, state, ${times}, hash FROM block AS part JOIN machine USING (machine_ref) ${where}
      UNION ALL
      SELECT ${columns}, cause AS state, ${times}, part.last_hash AS hash FROM gone AS part JOIN machine USING (machine_ref) ${where}`)
    .all(...parameters, ...parameters) as Row[];
  const ranges = sealed.map(({ firstOffset, state, previousHash, hash, ...row }) => ({
    ...row,
    epoch: epochs.of(firstOffset),
    state: state === "whole" ? ("sealed" as const) : state,
    previousHash: hexOf(previousHash),
    hash: hexOf(hash),
  }));
  return [...ranges, ...freshRanges(tail, epochs, machineId)].sort((a, b) =>
    a.machineId === b.machineId ? a.firstSeq - b.firstSeq : a.machineId < b.machineId ? -1 : 1,
  );
}

/** Runs of events that are not sealed yet; their readings and times are not looked at. */
function freshRanges(tail: Tail, epochs: Epochs, only: string | undefined): LedgerRange[] {
  const open = new Map<string, LedgerRange>();
  const ranges: LedgerRange[] = [];
  for (const { sections, firstOffset, appendedMs } of tail.chunks) {
    let offset = firstOffset;
    for (const { machineId, firstSeq, events } of sections) {
      const epoch = epochs.of(offset);
      offset += events;
      if (only !== undefined && machineId !== only) continue;
      const lastSeq = firstSeq + events - 1;
      const before = open.get(machineId);
      if (before && before.lastSeq + 1 === firstSeq && before.epoch === epoch) {
        open.set(machineId, { ...before, lastSeq, toMs: appendedMs });
        continue;
      }
      if (before) ranges.push(before);
      const times = { samples: 0, fromMs: appendedMs, toMs: appendedMs };
      open.set(machineId, {
        epoch,
        machineId,
        firstSeq,
        lastSeq,
        state: "fresh",
        ...times,
        previousHash: "",
        hash: "",
      });
    }
  }
  return [...ranges, ...open.values()];
}

/** Sixteen zeros stand before the first block of a stream. */
function hexOf(hash: Buffer): string {
  return hash.every((byte) => byte === 0) ? "" : hash.toString("hex");
}
