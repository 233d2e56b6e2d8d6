import type Database from "better-sqlite3";
import type { HubEvent, NewHubEvent, PartitionInfo, Properties, SystemProperties } from "../ports.ts";

interface Row {
  sequence: number;
  enqueued_ms: number;
  device_id: string | null;
  module_id: string | null;
  message_source: string;
  auth_method: string | null;
  auth_generation_id: string | null;
  partition_key: string | null;
  properties: string;
  system: string;
  body: Buffer;
}

const COLUMNS =
  "sequence, enqueued_ms, device_id, module_id, message_source, auth_method, auth_generation_id, partition_key, properties, system, body";
/** About what a row is in the file beside its body. */
const HEAD_BYTES = 300;

/**
 * The events of one partition, in a table of their own: so each partition appends at the end of a tree, which SQLite does
 * without splitting pages, and a consumer reads nothing of the others.
 */
export class PartitionTable {
  readonly partition: number;
  readonly #database: Database.Database;
  readonly #insert: Database.Statement;
  readonly #read: Database.Statement<[number, number], Row>;
  readonly #enqueuedAt: Database.Statement<[number], number>;
  readonly #remove: Database.Statement<[number]>;
  readonly #keepNumbers: Database.Statement<[number, number, number]>;
  #begin: number;
  #next: number;
  #lastEnqueuedMs: number;

  constructor(database: Database.Database, partition: number) {
    this.partition = partition;
    this.#database = database;
    const table = `event_${partition}`;
    database.exec(`CREATE TABLE IF NOT EXISTS ${table} (
      sequence INTEGER PRIMARY KEY,
      enqueued_ms INTEGER NOT NULL,
      device_id TEXT,
      module_id TEXT,
      message_source TEXT NOT NULL,
      auth_method TEXT,
      auth_generation_id TEXT,
      partition_key TEXT,
      properties TEXT NOT NULL,
      system TEXT NOT NULL,
      body BLOB NOT NULL
    ) STRICT`);
    database
      .prepare("INSERT INTO partition (id, next_sequence, last_enqueued_ms) VALUES (?, 0, 0) ON CONFLICT DO NOTHING")
      .run(partition);
    this.#insert = database.prepare(`INSERT INTO ${table} (${COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`);
    this.#read = database.prepare(`SELECT ${COLUMNS} FROM ${table} WHERE sequence >= ? ORDER BY sequence LIMIT ?`);
    this.#enqueuedAt = database
      .prepare<[number], number>(`SELECT enqueued_ms FROM ${table} WHERE sequence = ?`)
      .pluck();
    this.#remove = database.prepare(`DELETE FROM ${table} WHERE sequence < ?`);
    this.#keepNumbers = database.prepare("UPDATE partition SET next_sequence = ?, last_enqueued_ms = ? WHERE id = ?");
    const kept = database
      .prepare<[number], { next_sequence: number; last_enqueued_ms: number }>(
        "SELECT next_sequence, last_enqueued_ms FROM partition WHERE id = ?",
      )
      .get(partition);
    const last = database
      .prepare<[], { sequence: number; enqueued_ms: number }>(
        `SELECT sequence, enqueued_ms FROM ${table} ORDER BY sequence DESC LIMIT 1`,
      )
      .get();
    this.#next = Math.max(kept?.next_sequence ?? 0, (last?.sequence ?? -1) + 1);
    this.#lastEnqueuedMs = Math.max(kept?.last_enqueued_ms ?? 0, last?.enqueued_ms ?? 0);
    const first = database.prepare<[], number>(`SELECT sequence FROM ${table} ORDER BY sequence LIMIT 1`).pluck();
    this.#begin = first.get() ?? this.#next;
  }

  /** Within a transaction of the caller, who calls `committed` once it is on disk. `offset` counts what that transaction inserted before it. */
  insert(event: NewHubEvent, offset: number, nowMs: number): number {
    const sequence = this.#next + offset;
    this.#insert.run(
      sequence,
      // Times never go back within a partition, whatever the clock does: consumers look for positions by time.
      Math.max(Math.floor(nowMs), this.#lastEnqueuedMs),
      event.source?.deviceId ?? null,
      event.source?.moduleId ?? null,
      event.messageSource,
      event.authMethod ?? null,
      event.authGenerationId ?? null,
      event.partitionKey ?? null,
      JSON.stringify(event.properties),
      JSON.stringify(event.system),
      event.body,
    );
    return sequence;
  }

  committed(count: number, nowMs: number): void {
    this.#next += count;
    this.#lastEnqueuedMs = Math.max(Math.floor(nowMs), this.#lastEnqueuedMs);
  }

  read(from: number, limit: { events: number; bytes: number }): HubEvent[] {
    const events: HubEvent[] = [];
    let bytes = 0;
    for (const row of this.#read.iterate(Math.max(0, from), Math.max(0, limit.events))) {
      bytes += row.body.length + row.properties.length + HEAD_BYTES;
      if (bytes > limit.bytes && events.length > 0) break;
      events.push(this.#eventOf(row));
    }
    return events;
  }

  info(): PartitionInfo {
    return {
      partition: this.partition,
      firstSequenceNumber: this.#begin,
      lastSequenceNumber: this.#next - 1,
      lastEnqueuedMs: this.#lastEnqueuedMs,
    };
  }

  /** First one enqueued after `ms`: by halving, for times ascend with the numbers. */
  after(ms: number): number {
    let low = this.#begin;
    let high = this.#next;
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      if ((this.#enqueuedAt.get(middle) ?? 0) > ms) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  count(): number {
    return this.#next - this.#begin;
  }

  firstEnqueuedMs(): number | undefined {
    return this.#enqueuedAt.get(this.#begin);
  }

  /** Takes away at most `count` of the oldest that were enqueued before `beforeMs`. Gives how many. */
  removeOldest(count: number, beforeMs: number): number {
    const end = Math.min(this.#begin + count, this.after(beforeMs - 1));
    if (end <= this.#begin) return 0;
    const removed = this.#database.transaction(() => {
      this.#keepNumbers.run(this.#next, this.#lastEnqueuedMs, this.partition);
      return this.#remove.run(end).changes;
    })();
    this.#begin = end;
    return removed;
  }

  #eventOf(row: Row): HubEvent {
    return {
      partition: this.partition,
      sequenceNumber: row.sequence,
      enqueuedMs: row.enqueued_ms,
      source:
        row.device_id === null
          ? undefined
          : { deviceId: row.device_id, ...(row.module_id === null ? {} : { moduleId: row.module_id }) },
      body: row.body,
      properties: JSON.parse(row.properties) as Properties,
      system: JSON.parse(row.system) as SystemProperties,
      messageSource: row.message_source,
      ...(row.auth_method === null ? {} : { authMethod: row.auth_method }),
      ...(row.auth_generation_id === null ? {} : { authGenerationId: row.auth_generation_id }),
      ...(row.partition_key === null ? {} : { partitionKey: row.partition_key }),
    };
  }
}
