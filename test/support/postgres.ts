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

async function onServer(statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: inject("postgresUrl") });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}
