import { statSync } from "node:fs";
import type Database from "better-sqlite3";
import type { Logger } from "pino";
import { messageOf } from "../../../edge/kernel/errors.ts";
import { isDamage, openStateFile, renewStateFile } from "./state-file.ts";
import { lockState } from "./state-lock.ts";

const LOOK_MS = 1_000;

type Value = number | string;

/**
 * The uplink's own file, followed while it is open: one that somebody removed is begun anew, for what is written into a file
 * that has no name is gone with the process; one that turns out to be damaged is moved aside.
 */
export class FollowedState implements Disposable {
  readonly #path: string;
  readonly #logger: Logger;
  readonly #lock: Disposable;
  #database: Database.Database;
  readonly #statements = new Map<string, Database.Statement>();
  #fileId: string;
  #lookedMs = performance.now();

  constructor(path: string, logger: Logger) {
    this.#path = path;
    this.#logger = logger;
    this.#lock = lockState(path);
    try {
      this.#database = openStateFile(path, this.#lost);
    } catch (error) {
      this.#lock[Symbol.dispose]();
      throw error;
    }
    this.#fileId = fileIdOf(path);
  }

  get<Row>(sql: string, ...values: Value[]): Row | undefined {
    return this.use(() => this.#statement(sql).get(...values)) as Row | undefined;
  }

  all<Row>(sql: string, ...values: Value[]): Row[] {
    return this.use(() => this.#statement(sql).all(...values)) as Row[];
  }

  run(sql: string, ...values: Value[]): void {
    this.use(() => this.#statement(sql).run(...values));
  }

  /** @throws SqliteError, after which a file that was damaged is a new one */
  use<T>(work: (database: Database.Database) => T): T {
    if (!this.#database.open || performance.now() - this.#lookedMs >= LOOK_MS) this.#look();
    try {
      return work(this.#database);
    } catch (error) {
      if (isDamage(error)) this.#begin(() => renewStateFile(this.#path, messageOf(error), this.#lost));
      throw error;
    }
  }

  /** In one transaction; survives a power cut when it returns. */
  durably<T>(work: (database: Database.Database) => T): T {
    this.#look();
    return this.use((database) => {
      database.pragma("synchronous = FULL");
      try {
        return database.transaction(work)(database);
      } finally {
        database.pragma("synchronous = NORMAL");
      }
    });
  }

  #look(): void {
    const { open, inTransaction } = this.#database;
    if (!open || (!inTransaction && fileIdOf(this.#path) !== this.#fileId)) {
      if (open)
        this.#logger.warn({ path: this.#path }, "the uplink's own file was removed or replaced: it is begun anew");
      this.#begin(() => openStateFile(this.#path, this.#lost));
    }
    this.#lookedMs = performance.now();
  }

  /** @throws EdgeError LOG_UNAVAILABLE, and then the one before is gone: the next use tries again */
  #begin(open: () => Database.Database): void {
    this.#database.close();
    this.#statements.clear();
    this.#fileId = "";
    this.#database = open();
    this.#fileId = fileIdOf(this.#path);
  }

  readonly #lost = (reason: string, aside: string): void =>
    this.#logger.error({ reason, aside }, "the uplink's own file was damaged: it is set aside, and a new one begins");

  #statement(sql: string): Database.Statement {
    let statement = this.#statements.get(sql);
    if (!statement) {
      statement = this.#database.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }

  [Symbol.dispose](): void {
    this.#database.close();
    this.#lock[Symbol.dispose]();
  }
}

function fileIdOf(path: string): string {
  const stat = statSync(path, { throwIfNoEntry: false });
  return stat === undefined ? "" : `${stat.dev}:${stat.ino}`;
}
