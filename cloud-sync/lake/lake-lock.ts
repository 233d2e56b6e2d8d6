import type { PoolClient } from "pg";
import type { Clock } from "../../edge/kernel/clock.ts";
import { EdgeError } from "../../edge/kernel/errors.ts";
import { type Database, databaseError } from "../database/database.ts";
import { LOCK_CLASS } from "./lake-catalog.ts";

const LOOK_MS = 1_000;

/**
 * The right to write to the lake, or to merge its files: one process has it at a time, and loses it with its connection. What it
 * commits is fenced all the same (LakeCatalog), should it not have noticed.
 */
export class LakeLock implements AsyncDisposable {
  readonly #client: PoolClient;
  readonly #lock: number;
  #lost: unknown;
  readonly #onError = (error: unknown): void => {
    this.#lost = error;
  };

  private constructor(client: PoolClient, lock: number) {
    this.#client = client;
    this.#lock = lock;
    client.on("error", this.#onError);
  }

  /** undefined when another process has it. */
  static async tryTake(database: Database, lock: number): Promise<LakeLock | undefined> {
    const client = await database.connect();
    try {
      const { rows } = await client.query<{ got: boolean }>("SELECT pg_try_advisory_lock($1, $2) AS got", [
        LOCK_CLASS,
        lock,
      ]);
      if (rows[0]?.got === true) return new LakeLock(client, lock);
    } catch (error) {
      client.release(true);
      throw databaseError(error);
    }
    client.release();
    return undefined;
  }

  /** Waits while another process has it; undefined when the signal aborts. */
  static async take(
    database: Database,
    lock: number,
    clock: Clock,
    signal: AbortSignal,
  ): Promise<LakeLock | undefined> {
    while (!signal.aborted) {
      const taken = await LakeLock.tryTake(database, lock);
      if (taken !== undefined) return taken;
      await clock.sleep(LOOK_MS, signal);
    }
    return undefined;
  }

  /** @throws EdgeError DATABASE_UNAVAILABLE when the connection is gone, and with it the right */
  check(): void {
    if (this.#lost === undefined) return;
    throw new EdgeError("DATABASE_UNAVAILABLE", "the connection that holds the lake's lock is gone", {
      cause: this.#lost,
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const isFree = await this.#client.query("SELECT pg_advisory_unlock($1, $2)", [LOCK_CLASS, this.#lock]).then(
      () => true,
      () => false,
    );
    this.#client.off("error", this.#onError);
    this.#client.release(!isFree);
  }
}
