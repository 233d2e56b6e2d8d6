import type Database from "better-sqlite3";
import { encodeBlock } from "../../cloud-sync/contract/block/block-builder.ts";
import { BlockError } from "../../cloud-sync/contract/block/block-error.ts";
import type { EventType, StoredEvent } from "../../cloud-sync/contract/event.ts";
import { insertBlock } from "./seal/insert-block.ts";
import { decodeRow } from "./v1/row-codec.ts";

/** Events of one block made from old rows: at 100 samples an event well within a block's bounds. */
const EVENTS_PER_BLOCK = 400;
/** Offsets that are sealed together. */
const EVENTS_PER_GROUP = 20_000;
const NO_HASH = Buffer.alloc(16);

interface OldRow {
  readonly offset: number;
  readonly machine_ref: number;
  readonly seq: number;
  readonly type: EventType;
  readonly time_ms: number;
  readonly entity_id: string | null;
  readonly caused_by: string | null;
  readonly data: string | Uint8Array;
}

/** Makes room for the new tables. */
export function renameVersion1(database: Database.Database): void {
  for (const index of ["event_stream", "event_kind", "event_rare"]) database.exec(`DROP INDEX IF EXISTS ${index}`);
  for (const table of ["meta", "machine", "signal", "event", "cursor"])
    database.exec(`ALTER TABLE ${table} RENAME TO old_${table}`);
}

/** Seals all rows of version 1, keeping epoch, seq, offset and cursors. Runs within the migration's transaction. */
export function upgradeFromVersion1(database: Database.Database): void {
  const epoch = database.prepare("SELECT value FROM old_meta WHERE key = 'epoch'").pluck().get() as string;
  database.prepare("INSERT INTO epoch (first_offset, epoch, cause) VALUES (0, ?, 'created')").run(epoch);
  const machines = database.prepare("SELECT machine_ref, machine_id, last_seq FROM old_machine").raw().all() as [
    number,
    string,
    number,
  ][];
  for (const [ref, machineId, lastSeq] of machines)
    database.prepare("INSERT INTO machine VALUES (?, ?, ?, zeroblob(16))").run(ref, machineId, lastSeq);
  const ids = new Map(machines.map(([ref, machineId]) => [ref, machineId]));
  const names = new Map(
    database.prepare("SELECT machine_ref || ' ' || signal_ref, name FROM old_signal").raw().all() as [string, string][],
  );
  const lastHash = database.prepare("SELECT last_hash FROM machine WHERE machine_ref = ?").pluck();
  const rows = database.prepare(`
    SELECT offset, machine_ref, seq, type, time_ms, entity_id, caused_by, data FROM old_event
    WHERE offset > ? AND offset <= ? ORDER BY machine_ref, seq`);
  const head = database.prepare("SELECT coalesce(max(offset), 0) FROM old_event").pluck().get() as number;
  for (let from = 0, groupNo = 1; from < head; from += EVENTS_PER_GROUP, groupNo++) {
    const byMachine = Map.groupBy(rows.all(from, from + EVENTS_PER_GROUP) as OldRow[], (row) => row.machine_ref);
    for (const [machineRef, own] of byMachine) {
      for (let at = 0; at < own.length; at += EVENTS_PER_BLOCK) {
        const events = own
          .slice(at, at + EVENTS_PER_BLOCK)
          .map((row) =>
            oldEvent(row, epoch, ids.get(machineRef) ?? "", (ref) => names.get(`${machineRef} ${ref}`) ?? ""),
          );
        for (const run of fitting(events)) {
          const bytes = encodeBlock(run, lastHash.get(machineRef) as Buffer);
          const rare = run.filter(({ type }) => type !== "telemetry");
          insertBlock(database, { machineRef, groupNo, runMs: 0 }, { bytes, rare, rollup: undefined });
        }
      }
    }
  }
  database.prepare("UPDATE mark SET sealed_offset = ?").run(head);
  // Also of a stream whose newest events had been removed: a seq is never given out twice.
  for (const [ref, , lastSeq] of machines)
    database.prepare("UPDATE machine SET last_seq = ? WHERE machine_ref = ?").run(lastSeq, ref);
  database.exec("INSERT INTO cursor SELECT name, offset, updated_ms FROM old_cursor");
  for (const table of ["minute", "old_event", "old_signal", "old_machine", "old_meta", "old_cursor"])
    database.exec(`DROP TABLE ${table}`);
}

/** The events in runs that a block can hold. */
function fitting(events: readonly StoredEvent[]): (readonly StoredEvent[])[] {
  try {
    encodeBlock(events, NO_HASH);
    return [events];
  } catch (error) {
    if (!(error instanceof BlockError) || error.code !== "limit" || events.length < 2) throw error;
    const middle = events.length >> 1;
    return [...fitting(events.slice(0, middle)), ...fitting(events.slice(middle))];
  }
}

function oldEvent(row: OldRow, epoch: string, machineId: string, nameOf: (signal: number) => string): StoredEvent {
  return {
    epoch,
    machineId,
    seq: row.seq,
    offset: row.offset,
    type: row.type,
    timeMs: row.time_ms,
    entityId: row.entity_id ?? `${epoch}/${machineId}/${row.seq}`,
    ...(row.caused_by === null ? {} : { causedBy: row.caused_by }),
    data: typeof row.data === "string" ? JSON.parse(row.data) : { samples: decodeRow(row.data, nameOf) },
  } as StoredEvent;
}
