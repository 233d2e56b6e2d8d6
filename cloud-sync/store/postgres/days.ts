import type { Database, Sql } from "../../database/database.ts";

/** Containers that are kept by the day. */
export const DAILY = ["telemetry", "scored_telemetry"] as const;
export type DailyContainer = (typeof DAILY)[number];

const DAY_MS = 86_400_000;
const DAYS_AHEAD = 3;
const LOCK_CLASS = 0x544c_5344;
/** A reader that takes long holds up a change of the table, and whoever comes behind that: then rather later. */
const DROP_LOCK_MS = 2_000;

/** "2026-11-25", UTC. */
export function dayOf(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10);
}

/** The partitions of the days: made before they are needed, dropped whole when they are over. */
export class Days {
  readonly #database: Database;
  readonly #known = new Set<string>();

  constructor(database: Database) {
    this.#database = database;
  }

  /** Makes the partition of this day when this process has not seen it yet. */
  async ensure(container: DailyContainer, day: string): Promise<void> {
    const key = `${container} ${day}`;
    if (this.#known.has(key)) return;
    await this.#make(container, [day]);
    this.#known.clear();
    this.#known.add(key);
  }

  /** What was known may be wrong: somebody dropped a partition. */
  forget(): void {
    this.#known.clear();
  }

  async makeAhead(nowMs: number): Promise<void> {
    const days = Array.from({ length: DAYS_AHEAD + 1 }, (_, ahead) => dayOf(nowMs + ahead * DAY_MS));
    for (const container of DAILY) await this.#make(container, days);
  }

  /** @returns names of the partitions that are gone now, all of whose documents were older than `keptDays` */
  async dropExpired(nowMs: number, keptDays: number): Promise<string[]> {
    const firstKept = dayOf(nowMs - keptDays * DAY_MS);
    const dropped: string[] = [];
    for (const container of DAILY) {
      for (const { name, day } of await partitionsOf(this.#database, container)) {
        if (day >= firstKept) continue;
        await this.#database.transaction(async (sql) => {
          await lockDays(sql, container);
          await sql.query(`SET LOCAL lock_timeout = ${DROP_LOCK_MS}`);
          await sql.query(`DROP TABLE IF EXISTS store.${name}`);
        });
        dropped.push(name);
      }
    }
    return dropped;
  }

  async #make(container: DailyContainer, days: readonly string[]): Promise<void> {
    const there = new Set((await partitionsOf(this.#database, container)).map(({ day }) => day));
    for (const day of days.filter((each) => !there.has(each))) {
      await this.#database.transaction((sql) => makePartition(sql, container, day));
    }
  }
}

/** Who changes the partitions comes one behind the other: these changes lock several tables, in an order that is not ours to choose. */
async function lockDays(sql: Sql, container: DailyContainer): Promise<void> {
  await sql.query("SELECT pg_advisory_xact_lock($1, $2)", [LOCK_CLASS, DAILY.indexOf(container)]);
}

async function makePartition(sql: Sql, container: DailyContainer, day: string): Promise<void> {
  await lockDays(sql, container);
  if ((await partitionsOf(sql, container)).some((each) => each.day === day)) return;
  const name = `store.${container}_${day.replaceAll("-", "")}`;
  // Made apart and then attached: unlike PARTITION OF, that lets readers and writers of the other days go on.
  await sql.query(
    `CREATE TABLE ${name} (LIKE store.${container} INCLUDING DEFAULTS INCLUDING STORAGE INCLUDING COMPRESSION)`,
  );
  const next = dayOf(Date.parse(day) + DAY_MS);
  await sql.query(`ALTER TABLE store.${container} ATTACH PARTITION ${name} FOR VALUES FROM ('${day}') TO ('${next}')`);
}

async function partitionsOf(sql: Sql, container: DailyContainer): Promise<{ name: string; day: string }[]> {
  const { rows } = await sql.query<{ name: string }>(
    "SELECT c.relname AS name FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = $1::regclass",
    [`store.${container}`],
  );
  return rows.map(({ name }) => {
    const digits = name.slice(-8);
    return { name, day: `${digits.slice(0, 4)}-${digits.slice(4, 6)}-${digits.slice(6)}` };
  });
}
