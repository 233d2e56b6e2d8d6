import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { PoolClient } from "pg";
import { EdgeError, messageOf } from "../../edge/kernel/errors.ts";
import { type Database, databaseError } from "./database.ts";
import { statementsOf } from "./statements.ts";

const FOLDER = join(import.meta.dirname, "migrations");
const NO_TRANSACTION = /^--\s*no-transaction\b/m;
/** Any number that no other program locks: "TLST". */
const LOCK = 0x544c_5354;
const LOCK_LOOK_MS = 50;

export interface Migration {
  readonly name: string;
  readonly sha256: string;
  readonly text: string;
}

/**
 * Brings the schema to the newest version: plain SQL files in the order of their names, each once, a transaction per file unless its
 * first line says `-- no-transaction`. Runs unchanged on PostgreSQL 15 to 18 and on Citus; several processes may start it at once.
 * @returns names of the files that were applied now
 * @throws EdgeError DATABASE_REFUSED when an applied file was altered, or a statement fails (named with its file), DATABASE_UNAVAILABLE
 *   when the connection was lost; what was applied by then stays
 */
export async function migrate(database: Database, migrations = readMigrations()): Promise<string[]> {
  const client = await database.connect();
  let isBroken = true;
  try {
    // A blocking lock would deadlock against CREATE INDEX CONCURRENTLY, which waits for all transactions.
    while (!(await client.query("SELECT pg_try_advisory_lock($1) AS got", [LOCK])).rows[0].got)
      await delay(LOCK_LOOK_MS);
    const applied = await applyMissing(client, migrations);
    await client.query("SELECT pg_advisory_unlock($1)", [LOCK]);
    isBroken = false;
    return applied;
  } catch (error) {
    throw databaseError(error);
  } finally {
    // The lock goes with a connection that is closed, whatever state it is in.
    client.release(isBroken);
  }
}

export function readMigrations(folder = FOLDER): Migration[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith(".sql"))
    .sort()
    .map((name) => {
      const text = readFileSync(join(folder, name), "utf8").replaceAll("\r\n", "\n");
      return { name, text, sha256: createHash("sha256").update(text).digest("hex") };
    });
}

async function applyMissing(client: PoolClient, migrations: readonly Migration[]): Promise<string[]> {
  await client.query("CREATE SCHEMA IF NOT EXISTS app");
  await client.query(
    "CREATE TABLE IF NOT EXISTS app.migration (name text PRIMARY KEY, sha256 text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())",
  );
  const { rows } = await client.query<{ name: string; sha256: string }>("SELECT name, sha256 FROM app.migration");
  const applied = new Map(rows.map(({ name, sha256 }) => [name, sha256]));
  const done: string[] = [];
  for (const migration of migrations) {
    const known = applied.get(migration.name);
    if (known === migration.sha256) continue;
    if (known !== undefined)
      throw new EdgeError("DATABASE_REFUSED", `the migration ${migration.name} was altered after it was applied`, {
        hint: "Take the program's own version of the file back; a change of the schema is a new file.",
      });
    await apply(client, migration);
    done.push(migration.name);
  }
  return done;
}

async function apply(client: PoolClient, { name, sha256, text }: Migration): Promise<void> {
  const isAtomic = !NO_TRANSACTION.test(text);
  let statement = "";
  try {
    if (isAtomic) await client.query("BEGIN");
    // One statement a query: Citus refuses several in one string.
    for (statement of statementsOf(text)) await client.query(statement);
    statement = "";
    await client.query("INSERT INTO app.migration (name, sha256) VALUES ($1, $2)", [name, sha256]);
    if (isAtomic) await client.query("COMMIT");
  } catch (error) {
    if (isAtomic) await client.query("ROLLBACK").catch(() => undefined);
    const known = databaseError(error);
    if (known instanceof EdgeError && known.retry !== "never") throw known;
    const where = statement.trim().split("\n")[0] ?? "";
    throw new EdgeError("DATABASE_REFUSED", `the migration ${name} fails at "${where}": ${messageOf(error)}`, {
      cause: error,
    });
  }
}
