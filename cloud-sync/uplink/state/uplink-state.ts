import type Database from "better-sqlite3";
import type { Logger } from "pino";
import type { DeadLetter, Lane, Traffic, UplinkStatus } from "../ports.ts";
import {
  insertDeadLetter,
  type NewDeadLetter,
  readDeadLetters,
  readMessages,
  type WantedLetter,
} from "./dead-letters.ts";
import { openStateFile } from "./state-file.ts";

/** Days of traffic that are kept. */
const DAYS_MAX = 400;
/** Ranges that wait to be sent again. */
const RESENDS_MAX = 1_000;

/** A range of a stream that was asked for again. */
export interface ResendRange {
  readonly id: number;
  readonly machineId: string;
  readonly firstSeq: number;
  readonly lastSeq: number;
  /** The first that is not acknowledged yet. */
  readonly nextSeq: number;
}

/** What the uplink remembers beside the log. The process that sends has the only one; others read (state-reader.ts). */
export class UplinkState implements Disposable {
  readonly path: string;
  readonly #database: Database.Database;
  readonly #statements = new Map<string, Database.Statement>();

  constructor(path: string, database: Database.Database) {
    this.path = path;
    this.#database = database;
  }

  #statement(sql: string): Database.Statement {
    let statement = this.#statements.get(sql);
    if (!statement) {
      statement = this.#database.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }

  /** Survives a power cut when it returns. */
  #durably<T>(work: () => T): T {
    this.#database.pragma("synchronous = FULL");
    try {
      return this.#database.transaction(work)();
    } finally {
      this.#database.pragma("synchronous = NORMAL");
    }
  }

  /** Durable when it returns. @returns its number */
  addDeadLetter(letter: NewDeadLetter, bodyBytesMax?: number): number {
    return this.#durably(() => insertDeadLetter(this.#database, letter, bodyBytesMax));
  }

  deadLetters(): DeadLetter[] {
    return readDeadLetters(this.#database);
  }

  deadLetterCount(): number {
    return this.#statement("SELECT count(*) FROM dead_letter").pluck().get() as number;
  }

  /** Those that people want sent again, a few at a time. */
  wantedAgain(): WantedLetter[] {
    return readMessages(this.#database, "is_wanted_again = 1");
  }

  removeDeadLetter(id: number): void {
    this.#durably(() => this.#statement("DELETE FROM dead_letter WHERE id = ?").run(id));
  }

  /** It was tried again and did not go. */
  keepDeadLetter(id: number, code: string, reason: string, atMs: number): void {
    this.#durably(() =>
      this.#statement(`UPDATE dead_letter SET is_wanted_again = 0, attempts = attempts + 1, code = ?, reason = ?, at_ms = ?
        WHERE id = ?`).run(code, reason, atMs, id),
    );
  }

  addTraffic(atMs: number, lane: Lane, { messages, units, bytes }: Traffic): void {
    this.#statement(`INSERT INTO traffic (day, lane, messages, units, bytes) VALUES (?, ?, ?, ?, ?)
      ON CONFLICT (day, lane) DO UPDATE SET messages = messages + excluded.messages, units = units + excluded.units,
        bytes = bytes + excluded.bytes`).run(dayOf(atMs), lane, messages, units, bytes);
    this.#statement(`DELETE FROM traffic WHERE day < (SELECT day FROM (SELECT DISTINCT day FROM traffic ORDER BY day DESC
      LIMIT ${DAYS_MAX}) ORDER BY day LIMIT 1)`).run();
  }

  /** Of the UTC day. */
  traffic(atMs: number): Record<Lane, Traffic> {
    const none: Traffic = { messages: 0, units: 0, bytes: 0 };
    const rows = this.#statement("SELECT lane, messages, units, bytes FROM traffic WHERE day = ?").all(
      dayOf(atMs),
    ) as (Traffic & {
      lane: Lane;
    })[];
    const of = (lane: Lane): Traffic => {
      const { messages, units, bytes } = rows.find((row) => row.lane === lane) ?? none;
      return { messages, units, bytes };
    };
    return { priority: of("priority"), telemetry: of("telemetry") };
  }

  saveStatus(status: UplinkStatus): void {
    this.#statement("INSERT OR REPLACE INTO status (id, json) VALUES (1, ?)").run(JSON.stringify(status));
  }

  /** Rate given by a command: undefined when none was, null for no limit. */
  rateOverride(): number | null | undefined {
    const json = this.#statement("SELECT json FROM setting WHERE name = 'bytesPerSecondMax'").pluck().get() as
      | string
      | undefined;
    return json === undefined ? undefined : (JSON.parse(json) as number | null);
  }

  /** undefined: back to the configuration's. */
  setRateOverride(bytesPerSecondMax: number | null | undefined): void {
    this.#durably(() => {
      if (bytesPerSecondMax === undefined)
        this.#statement("DELETE FROM setting WHERE name = 'bytesPerSecondMax'").run();
      else
        this.#statement("INSERT OR REPLACE INTO setting (name, json) VALUES ('bytesPerSecondMax', ?)").run(
          JSON.stringify(bytesPerSecondMax),
        );
    });
  }

  /** False when too many wait already. */
  addResend(machineId: string, firstSeq: number, lastSeq: number): boolean {
    return this.#durably(() => {
      if ((this.#statement("SELECT count(*) FROM resend").pluck().get() as number) >= RESENDS_MAX) return false;
      this.#statement("INSERT INTO resend (machine_id, first_seq, last_seq, next_seq) VALUES (?, ?, ?, ?)").run(
        machineId,
        firstSeq,
        lastSeq,
        firstSeq,
      );
      return true;
    });
  }

  nextResend(): ResendRange | undefined {
    return this.#statement(`SELECT id, machine_id AS machineId, first_seq AS firstSeq, last_seq AS lastSeq,
      next_seq AS nextSeq FROM resend ORDER BY id LIMIT 1`).get() as ResendRange | undefined;
  }

  /** All below is acknowledged; a range that is done is forgotten. */
  saveResend({ id, lastSeq }: ResendRange, nextSeq: number): void {
    if (nextSeq > lastSeq) this.#statement("DELETE FROM resend WHERE id = ?").run(id);
    else this.#statement("UPDATE resend SET next_seq = ? WHERE id = ?").run(nextSeq, id);
  }

  [Symbol.dispose](): void {
    this.#database.close();
  }
}

/** "2026-03-01", the UTC day. */
export function dayOf(timeMs: number): string {
  return new Date(timeMs).toISOString().slice(0, 10);
}

/**
 * Opens the uplink's own file, creating it; a damaged one is moved aside (path + ".damaged"), which the logger is told.
 * @throws EdgeError LOG_UNAVAILABLE, LOG_VERSION
 */
export function openUplinkState(path: string, logger: Logger): UplinkState {
  const database = openStateFile(path, (reason, aside) =>
    logger.error({ reason, aside }, "the uplink's own file was damaged: it is set aside, and a new one begins"),
  );
  return new UplinkState(path, database);
}
