import type { Clock } from "../../edge/kernel/clock.ts";
import type { Database } from "../database/database.ts";

/** Where a mirror stands in the log; offsets of the log of this epoch. */
export interface LogPosition {
  readonly epoch: string;
  /** All events up to here are stored, as far as the log still has them. */
  readonly whole: number;
  /** Sealed blocks that end up to here are stored, too. whole ≤ blocks. */
  readonly blocks: number;
  /** Events other than telemetry are stored up to here. whole ≤ rare. */
  readonly rare: number;
}

/** Before the first event of a log. */
export function beginningOf(epoch: string): LogPosition {
  return { epoch, whole: 0, blocks: 0, rare: 0 };
}

/** A mirror's cursor, in its own database. */
export class LogCursor {
  readonly #database: Database;
  readonly #site: string;
  readonly #clock: Clock;

  constructor(database: Database, site: string, clock: Clock) {
    this.#database = database;
    this.#site = site;
    this.#clock = clock;
  }

  /** @throws EdgeError DATABASE_UNAVAILABLE */
  async load(): Promise<LogPosition | undefined> {
    const { rows } = await this.#database.query<LogPosition>(
      "SELECT epoch, whole, blocks, rare FROM app.mirror_log WHERE site = $1",
      [this.#site],
    );
    return rows[0];
  }

  /** Durable when it returns. @throws EdgeError DATABASE_UNAVAILABLE */
  async save({ epoch, whole, blocks, rare }: LogPosition): Promise<void> {
    await this.#database.prepared(
      "mirror_log_save",
      `INSERT INTO app.mirror_log (site, epoch, whole, blocks, rare, updated_at) VALUES ($1, $2, $3, $4, $5, $6)
       ON CONFLICT (site) DO UPDATE SET epoch = excluded.epoch, whole = excluded.whole, blocks = excluded.blocks,
         rare = excluded.rare, updated_at = excluded.updated_at`,
      [this.#site, epoch, whole, blocks, rare, new Date(this.#clock.nowMs())],
    );
  }
}
