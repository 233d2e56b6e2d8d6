import { statSync } from "node:fs";
import Database from "better-sqlite3";
import { EdgeError, messageOf } from "../../../edge/kernel/errors.ts";
import type { DeadLetter, Outgoing, UplinkStatus } from "../ports.ts";
import { readDeadLetters, readMessages } from "./dead-letters.ts";
import { STATE_VERSION } from "./schema.ts";

const BUSY_MS = 2_000;

/** Reads the uplink's own file from another process; every call finds the file that is there now. */
export class UplinkStateReader implements Disposable {
  readonly path: string;
  #database: Database.Database | undefined;
  #fileId = "";

  constructor(path: string) {
    this.path = path;
  }

  /** What the uplink said of itself last; undefined before it said anything. @throws EdgeError LOG_UNAVAILABLE */
  status(): UplinkStatus | undefined {
    return this.#read((database) => {
      const json = database.prepare("SELECT json FROM status").pluck().get() as string | undefined;
      return json === undefined ? undefined : (JSON.parse(json) as UplinkStatus);
    });
  }

  /** The oldest first. @throws EdgeError LOG_UNAVAILABLE */
  deadLetters(): DeadLetter[] {
    return this.#read(readDeadLetters) ?? [];
  }

  /** The message itself; undefined when there is none, or only its description was kept. @throws EdgeError LOG_UNAVAILABLE */
  deadLetterMessage(id: number): Outgoing | undefined {
    return this.#read((database) => readMessages(database, "id = ?", id)[0]?.message);
  }

  #read<T>(work: (database: Database.Database) => T): T | undefined {
    try {
      const database = this.#current();
      return database && work(database);
    } catch (error) {
      this[Symbol.dispose]();
      throw unavailable(this.path, error);
    }
  }

  #current(): Database.Database | undefined {
    const stat = statSync(this.path, { throwIfNoEntry: false });
    const fileId = stat === undefined ? "" : `${stat.dev}:${stat.ino}`;
    if (fileId !== this.#fileId) this[Symbol.dispose]();
    if (fileId === "") return undefined;
    if (this.#database === undefined) {
      const database = new Database(this.path, { readonly: true, fileMustExist: true, timeout: BUSY_MS });
      // Version 0: it is being created just now.
      if (database.pragma("user_version", { simple: true }) !== STATE_VERSION) {
        database.close();
        return undefined;
      }
      this.#database = database;
      this.#fileId = fileId;
    }
    return this.#database;
  }

  [Symbol.dispose](): void {
    this.#database?.close();
    this.#database = undefined;
    this.#fileId = "";
  }
}

/** Works while no file exists yet: then nothing has been said. */
export function openUplinkStateReader(path: string): UplinkStateReader {
  return new UplinkStateReader(path);
}

/**
 * Asks the uplink, whichever process it is, to send dead letters again: it looks once a second.
 * @param ids "all" for every one whose message was kept
 * @returns how many will be tried
 * @throws EdgeError LOG_UNAVAILABLE
 */
export function wantDeadLettersAgain(path: string, ids: readonly number[] | "all"): number {
  if (statSync(path, { throwIfNoEntry: false }) === undefined) return 0;
  try {
    const database = new Database(path, { fileMustExist: true, timeout: BUSY_MS });
    try {
      const want = (where: string, ...values: number[]): number =>
        database
          .prepare(`UPDATE dead_letter SET is_wanted_again = 1 WHERE body IS NOT NULL AND ${where}`)
          .run(...values).changes;
      return ids === "all" ? want("true") : ids.reduce((sum, id) => sum + want("id = ?", id), 0);
    } finally {
      database.close();
    }
  } catch (error) {
    throw unavailable(path, error);
  }
}

function unavailable(path: string, error: unknown): EdgeError {
  return new EdgeError("LOG_UNAVAILABLE", `${path}: ${messageOf(error)}`, {
    cause: error,
    hint: "Check that this user may read the uplink's file, which lies beside the log.",
  });
}
