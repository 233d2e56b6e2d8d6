import type { Clock } from "../../edge/kernel/clock.ts";
import type { Database } from "../database/database.ts";
import type { FollowedContainer } from "../services/query/changes/schema.ts";

/** Where a mirror stands in the ranges of the central office's feeds, in its own database. */
export class FeedCursors {
  readonly #database: Database;
  readonly #source: string;
  readonly #clock: Clock;

  /** @param source names the office and the factory; another one begins anew */
  constructor(database: Database, source: string, clock: Clock) {
    this.#database = database;
    this.#source = source;
    this.#clock = clock;
  }

  /** By the names of the ranges; empty: none is followed yet. @throws EdgeError DATABASE_UNAVAILABLE */
  async load(container: FollowedContainer): Promise<Map<string, string | undefined>> {
    const { rows } = await this.#database.query<{ range: string; continuation: string | null }>(
      "SELECT range, continuation FROM app.mirror_feed WHERE source = $1 AND container = $2 ORDER BY range",
      [this.#source, container],
    );
    return new Map(rows.map(({ range, continuation }) => [range, continuation ?? undefined]));
  }

  /** Follows these ranges from their beginning, and no others. */
  async begin(container: FollowedContainer, ranges: readonly string[]): Promise<void> {
    await this.#database.transaction(async (sql) => {
      await sql.query("DELETE FROM app.mirror_feed WHERE source = $1 AND container = $2", [this.#source, container]);
      await sql.query(
        `INSERT INTO app.mirror_feed (source, container, range, continuation, updated_at)
         SELECT $1, $2, range, NULL, $4 FROM unnest($3::text[]) AS range`,
        [this.#source, container, ranges, new Date(this.#clock.nowMs())],
      );
    });
  }

  /** Durable when it returns. */
  async save(container: FollowedContainer, range: string, continuation: string | undefined): Promise<void> {
    await this.#database.query(
      `UPDATE app.mirror_feed SET continuation = $4, updated_at = $5
        WHERE source = $1 AND container = $2 AND range = $3`,
      [this.#source, container, range, continuation ?? null, new Date(this.#clock.nowMs())],
    );
  }
}
