import { createHash } from "node:crypto";
import type { Clock } from "../../../edge/kernel/clock.ts";
import type { Database } from "../../database/database.ts";
import { Failure } from "../http/failure.ts";

const WINDOW_MS = 15 * 60_000;
/** Failures in a window: of one account from one address, of one address, of one account from anywhere. */
const PAIR_FAILURES_MAX = 5;
const ADDRESS_FAILURES_MAX = 30;
const ACCOUNT_FAILURES_MAX = 100;

interface AttemptRow {
  readonly window_at: Date;
  readonly failures: number;
}

/**
 * Slows down who guesses passwords. An attempt counts before it is made, so that a thousand at once are no more than a thousand in a row;
 * a success takes it back. Counts are in the database: of all services together, and after a restart.
 */
export class Throttle {
  readonly #database: Database;
  readonly #clock: Clock;

  constructor(database: Database, clock: Clock) {
    this.#database = database;
    this.#clock = clock;
  }

  /** @throws Failure 429 with retry-after, EdgeError DATABASE_UNAVAILABLE */
  async begin(login: string, address: string): Promise<void> {
    const now = this.#clock.nowMs();
    await this.#database.query("DELETE FROM app.login_attempt WHERE window_at <= $1", [new Date(now - WINDOW_MS)]);
    // The address first: once it is refused, names that it makes up leave no rows.
    await this.#count(`address ${address}`, ADDRESS_FAILURES_MAX, now);
    await this.#count(`pair ${login}\0${address}`, PAIR_FAILURES_MAX, now);
    await this.#count(`account ${login}`, ACCOUNT_FAILURES_MAX, now);
  }

  /** The attempt was right after all. */
  async succeeded(login: string, address: string): Promise<void> {
    await this.#database.query("DELETE FROM app.login_attempt WHERE key = $1", [keyOf(`pair ${login}\0${address}`)]);
    await this.#database.query("UPDATE app.login_attempt SET failures = failures - 1 WHERE key = ANY ($1::bytea[])", [
      [keyOf(`address ${address}`), keyOf(`account ${login}`)],
    ]);
  }

  async #count(subject: string, failuresMax: number, now: number): Promise<void> {
    const { rows } = await this.#database.query<AttemptRow>(
      `INSERT INTO app.login_attempt AS a (key, window_at, failures) VALUES ($1, $2, 1)
       ON CONFLICT (key) DO UPDATE SET failures = a.failures + 1
       RETURNING window_at, failures`,
      [keyOf(subject), new Date(now)],
    );
    const [row] = rows;
    if (row === undefined || row.failures <= failuresMax) return;
    const seconds = Math.max(1, Math.ceil((row.window_at.getTime() + WINDOW_MS - now) / 1000));
    throw new Failure(429, "TOO_MANY_LOGINS", "too many logins failed", {
      hint: `Try again in ${Math.ceil(seconds / 60)} minutes.`,
      headers: { "retry-after": String(seconds) },
    });
  }
}

function keyOf(subject: string): Buffer {
  return createHash("sha256").update(subject).digest();
}
