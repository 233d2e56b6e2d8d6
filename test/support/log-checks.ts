import Database from "better-sqlite3";
import { decodeBlock } from "../../cloud-sync/contract/block/block.ts";
import type { DecodedBlock } from "../../cloud-sync/contract/block/decoded-block.ts";
import type { EventType, StoredEvent } from "../../cloud-sync/contract/event.ts";
import type { LogReader } from "../../edge/log/event-log.ts";

/** Every event of a log, page by page. */
export function everyEvent(log: LogReader, types?: readonly EventType[], limitEvents = 5_000): StoredEvent[] {
  const found: StoredEvent[] = [];
  for (;;) {
    const page = log.readAfter(found.at(-1)?.offset ?? 0, { limitEvents, ...(types && { types }) });
    if (page.length === 0) return found;
    found.push(...page);
  }
}

/** Every event out of the blocks as they are handed over, in the order of the offset. */
export function everySealedEvent(log: LogReader, limitBytes = 100_000): StoredEvent[] {
  const events = everyBlock(log, limitBytes).flatMap((block) => block.events());
  return events.sort((a, b) => a.offset - b.offset);
}

/** The offset of every event in the blocks, without the work of decoding its samples. */
export function everySealedOffset(log: LogReader, limitBytes = 100_000): number[] {
  return everyBlock(log, limitBytes).flatMap((block) => [...block.eventOffsets()]);
}

function everyBlock(log: LogReader, limitBytes: number): DecodedBlock[] {
  const found: DecodedBlock[] = [];
  for (let offset = 0; ; ) {
    const blocks = log.readBlocks(offset, { limitBytes });
    const last = blocks.at(-1);
    if (!last) return found;
    offset = last.lastOffset;
    for (const { bytes } of blocks) if (bytes) found.push(decodeBlock(bytes));
  }
}

interface Range {
  readonly machineId: string;
  readonly first: number;
  readonly last: number;
  readonly state: string;
}

/**
 * What is wrong with the bookkeeping of seqs: blocks and the ledger of what is gone must name each seq of a stream once, from
 * 1 to the stream's last sealed one, and the tail goes on from there. Empty when nothing is.
 */
export function ledgerFaultsOf(log: LogReader): string[] {
  const database = new Database(log.path, { readonly: true });
  try {
    const ranges = database
      .prepare(`
        SELECT machine_id AS machineId, first_seq AS first, block.last_seq AS last, state
          FROM block JOIN machine USING (machine_ref)
        UNION ALL SELECT machine_id, first_seq, gone.last_seq, cause FROM gone JOIN machine USING (machine_ref)
        ORDER BY machineId, first`)
      .all() as Range[];
    const machines = database.prepare("SELECT machine_id, last_seq FROM machine").raw().all() as [string, number][];
    const faults: string[] = [];
    for (const [machineId, lastSeq] of machines) {
      let next = 1;
      for (const { first, last, state } of ranges.filter((range) => range.machineId === machineId)) {
        if (first !== next) faults.push(`${machineId}: ${state} ${first}–${last} follows on ${next - 1}`);
        next = last + 1;
      }
      if (next !== lastSeq + 1) faults.push(`${machineId}: known up to ${next - 1}, sealed up to ${lastSeq}`);
    }
    return faults;
  } finally {
    database.close();
  }
}

/**
 * What is wrong with the account of losses: in each stream every seq is there, or told as gone by a gap event; and the gap
 * events name as many readings as the events were appended with that are gone (`samplesPerEvent` of telemetry). Empty when
 * nothing is. For logs whose events other than telemetry are all there.
 */
export function lossFaultsOf(log: LogReader, events: readonly StoredEvent[], samplesPerEvent = 100): string[] {
  const faults: string[] = [];
  for (const { machineId, lastSeq } of log.streams()) {
    const own = events.filter((event) => event.machineId === machineId);
    const here = new Set(own.map(({ seq }) => seq));
    if (here.size !== own.length) faults.push(`${machineId}: a seq is there twice`);
    const gaps = own.flatMap((event) => (event.type === "gap" ? [event.data] : []));
    const missing = Array.from({ length: lastSeq }, (_, i) => i + 1).filter((seq) => !here.has(seq));
    const untold = missing.filter(
      (seq) => !gaps.some(({ firstSeq = 0, lastSeq: last = 0 }) => firstSeq <= seq && seq <= last),
    );
    if (untold.length > 0) faults.push(`${machineId}: ${untold.length} events are gone that nothing tells of`);
    const told = gaps.reduce((sum, { samples }) => sum + samples, 0);
    if (told !== missing.length * samplesPerEvent)
      faults.push(`${machineId}: ${told} readings are told, ${missing.length * samplesPerEvent} are gone`);
  }
  return faults;
}
