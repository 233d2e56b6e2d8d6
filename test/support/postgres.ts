import { randomUUID } from "node:crypto";
import pg from "pg";
import { inject } from "vitest";
import { Database } from "../../cloud-sync/database/database.ts";
import { migrate } from "../../cloud-sync/database/migrate.ts";

/** A fresh database, migrated; dropped at the end. */
export interface TestDatabase extends AsyncDisposable {
  readonly url: string;
  readonly database: Database;
}

export async function testDatabase({ migrated = true }: { migrated?: boolean } = {}): Promise<TestDatabase> {
  const name = `t_${randomUUID().replaceAll("-", "")}`;
  await onServer(`CREATE DATABASE ${name}`);
  const address = new URL(inject("postgresUrl"));
  address.pathname = `/${name}`;
  const database = new Database({ url: address.href });
  await distributeWhereCitusIs(database, address);
  if (migrated) await migrate(database);
  return {
    url: address.href,
    database,
    [Symbol.asyncDispose]: async () => {
      await database[Symbol.asyncDispose]();
      await onServer(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
    },
  };
}

/** One node that is coordinator and worker alike. */
async function distributeWhereCitusIs(database: Database, { hostname, port }: URL): Promise<void> {
  const { rows } = await database.query<{ loaded: string }>(
    "SELECT current_setting('shared_preload_libraries') AS loaded",
  );
  if (!rows[0]?.loaded.includes("citus")) return;
  await database.query("CREATE EXTENSION citus");
  await database.query("SELECT citus_set_coordinator_host($1, $2)", [hostname, Number(port)]);
  await database.query("SELECT citus_set_node_property($1, $2, 'shouldhaveshards', true)", [hostname, Number(port)]);
}

async function onServer(statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: inject("postgresUrl") });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}
