import type { PoolClient } from "pg";
import type { Clock } from "../../edge/kernel/clock.ts";
import { type Database, databaseError } from "../database/database.ts";

/** Any number that no other part locks: "TLPJ". */
const LOCK_CLASS = 0x544c_504a;
const LOOK_MS = 500;

/**
 * Which projections this process may run: a session of the database holds a lock for each, and is asked again and again whether it still
 * lives. What is lost while nobody looks does no harm: the checkpoints tell. Who wants to rebuild a projection asks for it by
 * `model.projection.wanted_until`, and gets it within a second.
 */
export class Ownership implements AsyncDisposable {
  readonly #database: Database;
  readonly #clock: Clock;
  readonly #names: readonly string[];
  readonly #owned = new Set<string>();
  #session: PoolClient | undefined;
  #asked: { readonly atMs: number; readonly done: Promise<void> } | undefined;

  constructor(database: Database, clock: Clock, names: readonly string[]) {
    this.#database = database;
    this.#clock = clock;
    this.#names = names;
  }

  /** Whether the projection is this process's now. @throws EdgeError DATABASE_UNAVAILABLE */
  async has(name: string): Promise<boolean> {
    const nowMs = this.#clock.monotonicMs();
    if (this.#asked === undefined || nowMs - this.#asked.atMs >= LOOK_MS) {
      const before = this.#asked?.done ?? Promise.resolve();
      this.#asked = { atMs: nowMs, done: before.catch(() => undefined).then(() => this.#look()) };
      this.#asked.done.catch(() => undefined);
    }
    await this.#asked.done;
    return this.#owned.has(name);
  }

  async #look(): Promise<void> {
    try {
      this.#session ??= await this.#open();
      const wanted = await this.#session.query<{ name: string }>(
        "SELECT name FROM model.projection WHERE wanted_until > clock_timestamp()",
      );
      const given = new Set(wanted.rows.map(({ name }) => name));
      for (const name of this.#names) {
        if (given.has(name) && this.#owned.delete(name))
          await this.#session.query("SELECT pg_advisory_unlock($1, $2)", [LOCK_CLASS, lockOf(name)]);
        else if (!given.has(name) && !this.#owned.has(name) && (await tryLock(this.#session, name)))
          this.#owned.add(name);
      }
    } catch (error) {
      this.#close();
      throw databaseError(error);
    }
  }

  async #open(): Promise<PoolClient> {
    const session = await this.#database.connect();
    session.on("error", () => this.#close());
    return session;
  }

  #close(): void {
    this.#owned.clear();
    const session = this.#session;
    this.#session = undefined;
    session?.release(true);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#asked?.done.catch(() => undefined);
    this.#close();
  }
}

/** @returns whether the session holds the lock of the projection now */
export async function tryLock(session: PoolClient, name: string): Promise<boolean> {
  const { rows } = await session.query<{ got: boolean }>("SELECT pg_try_advisory_lock($1, $2) AS got", [
    LOCK_CLASS,
    lockOf(name),
  ]);
  return rows[0]?.got === true;
}

/** FNV-1a as a signed 32-bit number. */
function lockOf(name: string): number {
  let hash = 0x811c_9dc5;
  for (const byte of Buffer.from(name)) hash = Math.imul(hash ^ byte, 0x0100_0193);
  return hash | 0;
}
