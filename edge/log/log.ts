import type Database from "better-sqlite3";
import { SqliteError } from "better-sqlite3";
import type { NewEvent } from "../../cloud-sync/contract/event.ts";
import type { Clock } from "../kernel/clock.ts";
import { EdgeError } from "../kernel/errors.ts";
import { asLogError, openDatabase } from "./database.ts";
import type { EventLog } from "./event-log.ts";
import { SqliteLogReader } from "./reader.ts";
import { encodeRow } from "./row-codec.ts";

/** Events that may wait for one commit; a producer that outruns the disk is told so instead of filling the memory. */
const PENDING_EVENTS_MAX = 50_000;

export interface LogOptions {
  readonly path: string;
  readonly clock: Clock;
  /** Longest wait of an appended event for its commit. Default 250 ms. */
  readonly commitIntervalMs?: number;
}

interface Pending {
  readonly events: readonly NewEvent[];
  readonly resolve: (offset: number) => void;
  readonly reject: (error: EdgeError) => void;
}

/** What this process knows of a machine's stream; forgotten whenever another process wrote or a commit failed. */
interface StreamState {
  readonly ref: number;
  lastSeq: number;
  minute: number;
  readonly signalRefs: Map<string, number>;
}

/** The log as its writers see it. Invariants: SPEC.md. */
export class SqliteLog extends SqliteLogReader implements EventLog {
  readonly #clock: Clock;
  readonly #commitIntervalMs: number;
  readonly #streams = new Map<string, StreamState>();
  readonly #commitBatch: Database.Transaction<(batch: readonly Pending[]) => number>;
  #pending: Pending[] = [];
  #pendingEvents = 0;
  #timer: NodeJS.Timeout | undefined;
  #dataVersion = -1;
  #closed = false;

  constructor({ path, clock, commitIntervalMs = 250 }: LogOptions) {
    super(openDatabase(path), path);
    this.#clock = clock;
    this.#commitIntervalMs = commitIntervalMs;
    this.#commitBatch = this.database.transaction((batch) => this.#insert(batch));
  }

  append(events: readonly NewEvent[], commit: "grouped" | "now" = "grouped"): Promise<number> {
    if (this.#closed) return Promise.reject(new EdgeError("LOG_CLOSED", "the log is closed"));
    if (this.#pendingEvents + events.length > PENDING_EVENTS_MAX) {
      return Promise.reject(
        new EdgeError("LOG_UNAVAILABLE", `${this.#pendingEvents} events wait for their commit already`, {
          hint: "The disk is slower than the machines: check it.",
        }),
      );
    }
    return new Promise((resolve, reject) => {
      this.#pending.push({ events, resolve, reject });
      this.#pendingEvents += events.length;
      if (commit === "now") this.#commit();
      else this.#timer ??= setTimeout(() => this.#commit(), this.#commitIntervalMs);
    });
  }

  saveCursor(name: string, offset: number): void {
    if (this.#closed) throw new EdgeError("LOG_CLOSED", "the log is closed");
    try {
      this.statement(`
        INSERT INTO cursor (name, offset, updated_ms) VALUES (?, ?, ?)
        ON CONFLICT (name) DO UPDATE SET offset = excluded.offset, updated_ms = excluded.updated_ms`).run(
        name,
        offset,
        this.#clock.nowMs(),
      );
    } catch (error) {
      throw asLogError(error, this.path);
    }
  }

  override close(): void {
    if (this.#closed) return;
    this.#commit();
    this.#closed = true;
    super.close();
  }

  #commit(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const batch = this.#pending;
    if (batch.length === 0) return;
    this.#pending = [];
    this.#pendingEvents = 0;
    const error = this.#write(batch);
    if (error === undefined) return;
    // An event that can't be stored must not take its neighbours in the commit with it.
    const isTheirs = batch.length > 1 && !(error instanceof SqliteError && error.code !== "SQLITE_CONSTRAINT_NOTNULL");
    for (const part of isTheirs ? batch.map((each) => [each]) : [batch]) {
      const failure = isTheirs ? this.#write(part) : error;
      if (failure !== undefined) for (const each of part) each.reject(asLogError(failure, this.path));
    }
  }

  /** One transaction; gives the error instead of throwing it. */
  #write(batch: readonly Pending[]): unknown {
    try {
      // IMMEDIATE: offsets are given out under the write lock, so that the order of offsets is the order of commits.
      const head = this.#commitBatch.immediate(batch);
      for (const each of batch) each.resolve(head);
      this.news.wake(head);
      return undefined;
    } catch (error) {
      this.#streams.clear();
      return error ?? new Error("unknown");
    }
  }

  #insert(batch: readonly Pending[]): number {
    const dataVersion = this.database.pragma("data_version", { simple: true }) as number;
    if (dataVersion !== this.#dataVersion) {
      this.#streams.clear();
      this.#dataVersion = dataVersion;
    }
    const insert = this.statement(`
      INSERT INTO event (machine_ref, seq, type, time_ms, appended_ms, entity_id, caused_by, data)
      VALUES (?, ?, ?, ?, ?, ?, ?, ?)`);
    const appendedMs = Math.floor(this.#clock.nowMs());
    const touched = new Set<StreamState>();
    let head: number | bigint = 0;
    for (const { events } of batch) {
      for (const event of events) {
        const stream = this.#stream(event.machineId);
        stream.lastSeq += 1;
        touched.add(stream);
        const minute = Math.floor(appendedMs / 60_000);
        if (minute !== stream.minute) {
          this.statement("INSERT INTO minute (machine_ref, first_seq, minute) VALUES (?, ?, ?)").run(
            stream.ref,
            stream.lastSeq,
            minute,
          );
          stream.minute = minute;
        }
        const data =
          event.type === "telemetry"
            ? encodeRow(event.data.samples, (signal) => this.#signalRef(stream, signal))
            : JSON.stringify(event.data);
        head = insert.run(
          stream.ref,
          stream.lastSeq,
          event.type,
          event.timeMs,
          appendedMs,
          event.entityId ?? null,
          event.causedBy ?? null,
          data,
        ).lastInsertRowid;
      }
    }
    const update = this.statement("UPDATE machine SET last_seq = ? WHERE machine_ref = ?");
    for (const stream of touched) update.run(stream.lastSeq, stream.ref);
    return touched.size === 0 ? this.head() : Number(head);
  }

  #stream(machineId: string): StreamState {
    let stream = this.#streams.get(machineId);
    if (stream) return stream;
    this.statement("INSERT INTO machine (machine_id, last_seq) VALUES (?, 0) ON CONFLICT (machine_id) DO NOTHING").run(
      machineId,
    );
    const row = this.statement("SELECT machine_ref AS ref, last_seq AS lastSeq FROM machine WHERE machine_id = ?").get(
      machineId,
    ) as { ref: number; lastSeq: number };
    const minute = this.statement("SELECT minute FROM minute WHERE machine_ref = ? ORDER BY first_seq DESC LIMIT 1")
      .pluck()
      .get(row.ref) as number | undefined;
    const signals = this.statement("SELECT name, signal_ref FROM signal WHERE machine_ref = ?").raw().all(row.ref) as [
      string,
      number,
    ][];
    stream = { ref: row.ref, lastSeq: row.lastSeq, minute: minute ?? -1, signalRefs: new Map(signals) };
    this.#streams.set(machineId, stream);
    return stream;
  }

  #signalRef(stream: StreamState, name: string): number {
    let ref = stream.signalRefs.get(name);
    if (ref === undefined) {
      ref = stream.signalRefs.size;
      this.statement("INSERT INTO signal (machine_ref, signal_ref, name) VALUES (?, ?, ?)").run(stream.ref, ref, name);
      stream.signalRefs.set(name, ref);
    }
    return ref;
  }
}

/**
 * Opens the log for appending, creating it when it is not there. Several processes may do so on one file.
 * @throws EdgeError LOG_UNAVAILABLE, LOG_VERSION
 */
export function openLog(options: LogOptions): EventLog {
  return new SqliteLog(options);
}
