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
import { FollowedState } from "./followed-state.ts";

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
  readonly #file: FollowedState;

  /** @throws EdgeError LOG_UNAVAILABLE, LOG_VERSION */
  constructor(path: string, logger: Logger) {
    this.path = path;
    this.#file = new FollowedState(path, logger);
  }

  #durably<T>(work: (database: Database.Database) => T): T {
    return this.#file.durably(work);
  }

  /** Durable when it returns. @returns its number */
  addDeadLetter(letter: NewDeadLetter, bodyBytesMax?: number): number {
    return this.#durably((database) => insertDeadLetter(database, letter, bodyBytesMax));
  }

  deadLetters(): DeadLetter[] {
    return this.#file.use(readDeadLetters);
  }

  deadLetterCount(): number {
    return this.#file.get<{ count: number }>("SELECT count(*) AS count FROM dead_letter")?.count ?? 0;
  }

  /** Those that people want sent again, a few at a time. */
  wantedAgain(): WantedLetter[] {
    return this.#file.use((database) => readMessages(database, "is_wanted_again = 1"));
  }

  removeDeadLetter(id: number): void {
    this.#durably(() => this.#file.run("DELETE FROM dead_letter WHERE id = ?", id));
  }

  /** It was tried again and did not go. */
  keepDeadLetter(id: number, code: string, reason: string, atMs: number): void {
    this.#durably(() =>
      this.#file.run(
        `UPDATE dead_letter SET is_wanted_again = 0, attempts = attempts + 1, code = ?, reason = ?, at_ms = ?
        WHERE id = ?`,
        code,
        reason,
        atMs,
        id,
      ),
    );
  }

  addTraffic(atMs: number, lane: Lane, { messages, units, bytes }: Traffic): void {
    this.#file.run(
      `INSERT INTO traffic (day, lane, messages, units, bytes) VALUES (?, ?, ?, ?, ?)
      ON CONFLICT (day, lane) DO UPDATE SET messages = messages + excluded.messages, units = units + excluded.units,
        bytes = bytes + excluded.bytes`,
      dayOf(atMs),
      lane,
      messages,
      units,
      bytes,
    );
    this.#file.run(`DELETE FROM traffic WHERE day < (SELECT day FROM (SELECT DISTINCT day FROM traffic ORDER BY day DESC
      LIMIT ${DAYS_MAX}) ORDER BY day LIMIT 1)`);
  }

  /** Of the UTC day. */
  traffic(atMs: number): Record<Lane, Traffic> {
    const none: Traffic = { messages: 0, units: 0, bytes: 0 };
    const rows = this.#file.all<Traffic & { lane: Lane }>(
      "SELECT lane, messages, units, bytes FROM traffic WHERE day = ?",
      dayOf(atMs),
    );
    const of = (lane: Lane): Traffic => {
      const { messages, units, bytes } = rows.find((row) => row.lane === lane) ?? none;
      return { messages, units, bytes };
    };
    return { priority: of("priority"), telemetry: of("telemetry") };
  }

  saveStatus(status: UplinkStatus): void {
    this.#file.run("INSERT OR REPLACE INTO status (id, json) VALUES (1, ?)", JSON.stringify(status));
  }

  /** Rate given by a command: undefined when none was, null for no limit. */
  rateOverride(): number | null | undefined {
    const row = this.#file.get<{ json: string }>("SELECT json FROM setting WHERE name = 'bytesPerSecondMax'");
    return row === undefined ? undefined : (JSON.parse(row.json) as number | null);
  }

  /** undefined: back to the configuration's. */
  setRateOverride(bytesPerSecondMax: number | null | undefined): void {
    this.#durably(() => {
      if (bytesPerSecondMax === undefined) this.#file.run("DELETE FROM setting WHERE name = 'bytesPerSecondMax'");
      else
        this.#file.run(
          "INSERT OR REPLACE INTO setting (name, json) VALUES ('bytesPerSecondMax', ?)",
          JSON.stringify(bytesPerSecondMax),
        );
    });
  }

  /** False when too many wait already. */
  addResend(machineId: string, firstSeq: number, lastSeq: number): boolean {
    return this.#durably(() => {
      const waiting = this.#file.get<{ count: number }>("SELECT count(*) AS count FROM resend")?.count ?? 0;
      if (waiting >= RESENDS_MAX) return false;
      this.#file.run(
        "INSERT INTO resend (machine_id, first_seq, last_seq, next_seq) VALUES (?, ?, ?, ?)",
        machineId,
        firstSeq,
        lastSeq,
        firstSeq,
      );
      return true;
    });
  }

  nextResend(): ResendRange | undefined {
    return this.#file.get<ResendRange>(`SELECT id, machine_id AS machineId, first_seq AS firstSeq, last_seq AS lastSeq,
      next_seq AS nextSeq FROM resend ORDER BY id LIMIT 1`);
  }

  /** All below is acknowledged; a range that is done is forgotten. */
  saveResend({ id, lastSeq }: ResendRange, nextSeq: number): void {
    if (nextSeq > lastSeq) this.#file.run("DELETE FROM resend WHERE id = ?", id);
    else this.#file.run("UPDATE resend SET next_seq = ? WHERE id = ?", nextSeq, id);
  }

  [Symbol.dispose](): void {
    this.#file[Symbol.dispose]();
  }
}

/** "2026-03-01", the UTC day. */
export function dayOf(timeMs: number): string {
  return new Date(timeMs).toISOString().slice(0, 10);
}

/**
 * Opens the uplink's own file, creating it; a damaged one is moved aside (path + ".damaged"), which the logger is told.
 * @throws EdgeError LOG_UNAVAILABLE also while another uplink works on it, LOG_VERSION
 */
export function openUplinkState(path: string, logger: Logger): UplinkState {
  return new UplinkState(path, logger);
}
