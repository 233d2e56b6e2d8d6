import { statSync } from "node:fs";
import type Database from "better-sqlite3";
import type { EventType, StoredEvent } from "../../cloud-sync/contract/event.ts";
import { openDatabase } from "./database.ts";
import type { LogReader } from "./event-log.ts";
import { NewsWatch } from "./news-watch.ts";
import { decodeRow } from "./row-codec.ts";

/** One answer holds at most this many events, whatever was asked for. */
const LIMIT_EVENTS_MAX = 10_000;
const COLUMNS = "offset, machine_ref, seq, type, time_ms, entity_id, caused_by, data";

interface EventRow {
  offset: number;
  machine_ref: number;
  seq: number;
  type: EventType;
  time_ms: number;
  entity_id: string | null;
  caused_by: string | null;
  data: string | Uint8Array;
}

/** Reads of the log's tables; the writer extends it with appends on the same connection. */
export class SqliteLogReader implements LogReader {
  readonly path: string;
  readonly epoch: string;
  protected readonly database: Database.Database;
  protected readonly news: NewsWatch;
  readonly #machineIds = new Map<number, string>();
  readonly #signalNames = new Map<number, Map<number, string>>();
  readonly #statements = new Map<string, Database.Statement>();

  constructor(database: Database.Database, path: string) {
    this.database = database;
    this.path = path;
    this.epoch = this.statement("SELECT value FROM meta WHERE key = 'epoch'").pluck().get() as string;
    this.news = new NewsWatch(() => this.head());
  }

  head(): number {
    return (this.statement("SELECT max(offset) FROM event").pluck().get() as number | null) ?? 0;
  }

  readAfter(offset: number, options: { limitEvents: number; types?: readonly EventType[] }): StoredEvent[] {
    const { types } = options;
    return this.#events(`SELECT ${COLUMNS} FROM event WHERE offset > ? ${kindClause(types)} ORDER BY offset LIMIT ?`, [
      offset,
      ...(types ?? []),
      limitOf(options),
    ]);
  }

  readStream(
    machineId: string,
    seq: number,
    options: { limitEvents: number; types?: readonly EventType[] },
  ): StoredEvent[] {
    return this.#range(machineId, seq + 1, Number.MAX_SAFE_INTEGER, options);
  }

  #range(
    machineId: string,
    first: number,
    last: number,
    options: { limitEvents: number; types?: readonly EventType[] },
  ): StoredEvent[] {
    const ref = this.machineRef(machineId);
    if (ref === undefined) return [];
    const { types } = options;
    return this.#events(
      `SELECT ${COLUMNS} FROM event WHERE machine_ref = ? AND seq BETWEEN ? AND ? ${kindClause(types)} ORDER BY seq LIMIT ?`,
      [ref, first, last, ...(types ?? []), limitOf(options)],
    );
  }

  readTime(
    machineId: string,
    fromMs: number,
    toMs: number,
    options: { limitEvents: number; afterSeq?: number; types?: readonly EventType[] },
  ): StoredEvent[] {
    const found: StoredEvent[] = [];
    const limitEvents = limitOf(options);
    for (const range of this.#seqRanges(machineId, fromMs, toMs)) {
      const first = Math.max(range.first, (options.afterSeq ?? 0) + 1);
      if (first > range.last) continue;
      found.push(...this.#range(machineId, first, range.last, { ...options, limitEvents: limitEvents - found.length }));
      if (found.length >= limitEvents) break;
    }
    return found;
  }

  /** Runs of seq whose events were appended in the given minutes; neighbouring runs joined. */
  #seqRanges(machineId: string, fromMs: number, toMs: number): { first: number; last: number }[] {
    const rows = this.statement(`
      SELECT first_seq AS first, coalesce(
        (SELECT min(next.first_seq) FROM minute AS next
          WHERE next.machine_ref = minute.machine_ref AND next.first_seq > minute.first_seq) - 1,
        9007199254740991) AS last
      FROM minute WHERE machine_ref = ? AND minute BETWEEN ? AND ? ORDER BY first_seq`).all(
      this.machineRef(machineId) ?? -1,
      Math.floor(fromMs / 60_000),
      Math.ceil(toMs / 60_000) - 1,
    ) as { first: number; last: number }[];
    const joined: { first: number; last: number }[] = [];
    for (const row of rows) {
      const previous = joined.at(-1);
      if (previous && previous.last + 1 === row.first) previous.last = row.last;
      else joined.push({ ...row });
    }
    return joined;
  }

  latest(machineId: string, type: EventType): StoredEvent | undefined {
    const kind = type === "telemetry" ? "type = ?" : "type = ? AND type <> 'telemetry'";
    return this.#events(`SELECT ${COLUMNS} FROM event WHERE machine_ref = ? AND ${kind} ORDER BY seq DESC LIMIT 1`, [
      this.machineRef(machineId) ?? -1,
      type,
    ])[0];
  }

  streams(): { machineId: string; lastSeq: number; firstSeq: number }[] {
    return this.statement(`
      SELECT machine_id AS machineId, last_seq AS lastSeq,
        coalesce((SELECT min(seq) FROM event WHERE event.machine_ref = machine.machine_ref), last_seq + 1) AS firstSeq
      FROM machine ORDER BY machine_id`).all() as { machineId: string; lastSeq: number; firstSeq: number }[];
  }

  cursor(name: string): number {
    return (this.statement("SELECT offset FROM cursor WHERE name = ?").pluck().get(name) as number | undefined) ?? 0;
  }

  cursors(): { name: string; offset: number; updatedMs: number }[] {
    return this.statement("SELECT name, offset, updated_ms AS updatedMs FROM cursor ORDER BY name").all() as {
      name: string;
      offset: number;
      updatedMs: number;
    }[];
  }

  waitPast(offset: number, signal: AbortSignal): Promise<boolean> {
    return this.news.waitPast(offset, signal);
  }

  sizeBytes(): number {
    return [this.path, `${this.path}-wal`].reduce(
      (sum, path) => sum + (statSync(path, { throwIfNoEntry: false })?.size ?? 0),
      0,
    );
  }

  close(): void {
    this.news.close();
    this.database.close();
  }

  /** A prepared statement, kept for the next time. The texts are few: they come from this file and the writer's. */
  protected statement(sql: string): Database.Statement {
    let statement = this.#statements.get(sql);
    if (!statement) {
      statement = this.database.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }

  protected machineRef(machineId: string): number | undefined {
    return this.statement("SELECT machine_ref FROM machine WHERE machine_id = ?").pluck().get(machineId) as
      | number
      | undefined;
  }

  #events(sql: string, parameters: unknown[]): StoredEvent[] {
    return (this.statement(sql).all(...parameters) as EventRow[]).map((row) => this.#event(row));
  }

  #event(row: EventRow): StoredEvent {
    const machineId = this.#machineId(row.machine_ref);
    const identity = `${this.epoch}/${machineId}/${row.seq}`;
    const data =
      typeof row.data === "string"
        ? JSON.parse(row.data)
        : { samples: decodeRow(row.data, (ref) => this.#signalName(row.machine_ref, ref)) };
    return {
      epoch: this.epoch,
      machineId,
      seq: row.seq,
      offset: row.offset,
      type: row.type,
      timeMs: row.time_ms,
      entityId: row.entity_id ?? identity,
      ...(row.caused_by === null ? {} : { causedBy: row.caused_by }),
      data,
    } as StoredEvent;
  }

  #machineId(ref: number): string {
    let machineId = this.#machineIds.get(ref);
    if (machineId === undefined) {
      machineId = this.statement("SELECT machine_id FROM machine WHERE machine_ref = ?").pluck().get(ref) as string;
      this.#machineIds.set(ref, machineId);
    }
    return machineId;
  }

  #signalName(machineRef: number, signalRef: number): string {
    let names = this.#signalNames.get(machineRef);
    if (!names?.has(signalRef)) {
      const rows = this.statement("SELECT signal_ref, name FROM signal WHERE machine_ref = ?")
        .raw()
        .all(machineRef) as [number, string][];
      names = new Map(rows);
      this.#signalNames.set(machineRef, names);
    }
    const name = names.get(signalRef);
    if (name === undefined) throw new RangeError(`signal number ${signalRef} has no name`);
    return name;
  }
}

/** The rare kinds have indexes of their own; without the second condition SQLite may not use them. */
function kindClause(types: readonly EventType[] | undefined): string {
  if (types === undefined) return "";
  return `AND type IN (${marks(types)})${types.includes("telemetry") ? "" : " AND type <> 'telemetry'"}`;
}

function marks(values: readonly unknown[]): string {
  return values.map(() => "?").join(", ");
}

function limitOf({ limitEvents }: { limitEvents: number }): number {
  return Math.max(0, Math.min(limitEvents, LIMIT_EVENTS_MAX));
}

/**
 * Opens an existing log for reading, also while other processes write it.
 * @throws EdgeError LOG_UNAVAILABLE, LOG_VERSION
 */
export function openLogReader(path: string): LogReader {
  return new SqliteLogReader(openDatabase(path, { readonly: true }), path);
}
