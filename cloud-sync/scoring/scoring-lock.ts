import type { PoolClient } from "pg";
import { type Database, databaseError } from "../database/database.ts";

/** Any number that no other part locks: "TLSC". */
const LOCK_CLASS = 0x544c_5343;

/**
 * Holds one of scoring's jobs for this process, by a session of the database: two processes on one feed would do everything twice.
 * What happens when the session is lost unnoticed does no harm: the checkpoint tells.
 */
export class ScoringLock implements AsyncDisposable {
  readonly #database: Database;
  readonly #job: number;
  #session: PoolClient | undefined;
  #isHeld = false;

  constructor(database: Database, job: 1 | 2) {
    this.#database = database;
    this.#job = job;
  }

  /** Whether the job is this process's now. @throws EdgeError DATABASE_UNAVAILABLE */
  async held(): Promise<boolean> {
    if (this.#isHeld) return true;
    try {
      if (this.#session === undefined) {
        this.#session = await this.#database.connect();
        this.#session.on("error", () => this.#close());
      }
      const { rows } = await this.#session.query<{ got: boolean }>("SELECT pg_try_advisory_lock($1, $2) AS got", [
        LOCK_CLASS,
        this.#job,
      ]);
      this.#isHeld = rows[0]?.got === true;
      return this.#isHeld;
    } catch (error) {
      this.#close();
      throw databaseError(error);
    }
  }

  #close(): void {
    this.#isHeld = false;
    const session = this.#session;
    this.#session = undefined;
    session?.release(true);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#close();
  }
}
