import { type Database, type Sql, sqlStateOf } from "../../database/database.ts";

export const DAY_MS = 86_400_000;
/** One-minute rollups are kept for so many days before today. */
export const MINUTES_DAYS = 30;
const LOCK_MS = 2_000;
/** Another process has made it at the same moment: as a table, as its type. */
const IS_THERE: readonly string[] = ["42P07", "23505"];

function nameOf(day: number): string {
  return `rollup_1m_${new Date(day * DAY_MS).toISOString().slice(0, 10).replaceAll("-", "")}`;
}

/** The partitions of model.rollup_1m, one a day (number of days since 1970, UTC): there are never more than MINUTES_DAYS and a few. */
export class MinuteDays {
  readonly #known = new Set<number>();

  /** @param days none before the first that is kept, none after tomorrow */
  async ensure(days: ReadonlySet<number>, sql: Sql): Promise<void> {
    for (const day of days) {
      if (this.#known.has(day)) continue;
      const [from, to] = [day, day + 1].map((each) => new Date(each * DAY_MS).toISOString());
      try {
        await sql.query(
          `CREATE TABLE IF NOT EXISTS model.${nameOf(day)} PARTITION OF model.rollup_1m FOR VALUES FROM ('${from}') TO ('${to}')`,
        );
      } catch (error) {
        if (!IS_THERE.includes(sqlStateOf(error) ?? "")) throw error;
      }
      this.#known.add(day);
    }
  }

  /** Drops the days before `firstKept`, later when somebody reads one for long. */
  async drop(firstKept: number, database: Database): Promise<void> {
    const { rows } = await database.query<{ name: string }>(
      "SELECT c.relname AS name FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'model.rollup_1m'::regclass",
    );
    for (const { name } of rows) {
      if (name >= nameOf(firstKept)) continue;
      await database.transaction(async (sql) => {
        await sql.query(`SET LOCAL lock_timeout = ${LOCK_MS}`);
        await sql.query(`DROP TABLE IF EXISTS model.${name}`);
      });
    }
    for (const day of this.#known) if (day < firstKept) this.#known.delete(day);
  }

  forget(): void {
    this.#known.clear();
  }
}
