import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { expect, test } from "vitest";
import { testDatabase } from "../../test/support/postgres.ts";
import { tempFolder } from "../../test/support/temp-folder.ts";
import type { Database } from "./database.ts";
import { migrate, readMigrations } from "./migrate.ts";

const CHILD = join(import.meta.dirname, "..", "..", "test", "support", "migrate-child.ts");
const MIGRATIONS = join(import.meta.dirname, "migrations");

function migrating(...args: string[]): ChildProcess & { output: Promise<string> } {
  const child = spawn(process.execPath, [CHILD, ...args], { stdio: ["ignore", "pipe", "inherit"] });
  return Object.assign(child, { output: text(child.stdout) });
}

/** Ours, and one behind them. */
function folderWith(name: string, sql: string): string {
  const folder = tempFolder();
  for (const file of readdirSync(MIGRATIONS)) copyFileSync(join(MIGRATIONS, file), join(folder, file));
  writeFileSync(join(folder, name), sql);
  return folder;
}

async function applied(database: Database): Promise<string[]> {
  const { rows } = await database.query<{ name: string }>("SELECT name FROM app.migration ORDER BY name");
  return rows.map(({ name }) => name);
}

test("processes that migrate at once all succeed, and each file is applied once", async () => {
  await using server = await testDatabase({ migrated: false });
  const children = Array.from({ length: 3 }, () => migrating(server.url));
  const outputs = await Promise.all(children.map(({ output }) => output));
  const names = readMigrations().map(({ name }) => name);
  expect(outputs.flatMap((output) => JSON.parse(output) as string[]).sort()).toEqual(names);
  expect(await applied(server.database)).toEqual(names);
  expect(await migrate(server.database)).toEqual([]);
});

test("a process that is killed in a migration leaves nothing half done, and holds up nobody", async () => {
  await using server = await testDatabase();
  const { database } = server;
  const sleeps = "SELECT pg_sleep(CASE WHEN current_setting('application_name') = 'tailstock' THEN 30 ELSE 0 END)";
  const folder = folderWith(
    "999-slow.sql",
    `CREATE TABLE app.first (id int);\n${sleeps};\nCREATE TABLE app.second (id int);`,
  );
  const child = migrating(server.url, folder);
  const ended = once(child, "exit");
  await expect
    .poll(
      async () =>
        (await database.query("SELECT FROM pg_stat_activity WHERE query LIKE $1", [`${sleeps.slice(0, 20)}%`]))
          .rowCount,
    )
    .toBe(1);
  child.kill("SIGKILL");
  await ended;
  // The server looks for its client only when it has something to say to it.
  await database.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE $1", [
    `${sleeps.slice(0, 20)}%`,
  ]);
  expect((await database.query("SELECT to_regclass('app.first') AS first")).rows).toEqual([{ first: null }]);
  const quick = readMigrations(folder).map((each) => ({ ...each, text: each.text.replace(`${sleeps};`, "") }));
  expect(await migrate(database, quick)).toEqual(["999-slow.sql"]);
});

test("a file that was altered after it was applied is refused, and named", async () => {
  await using server = await testDatabase();
  const altered = readMigrations().map((each) => ({
    ...each,
    sha256: each.name.startsWith("010") ? "0" : each.sha256,
  }));
  await expect(migrate(server.database, altered)).rejects.toMatchObject({
    code: "DATABASE_REFUSED",
    message: "the migration 010-store.sql was altered after it was applied",
  });
  expect(await migrate(server.database)).toEqual([]);
});

test("line ends of another system are no alteration", async () => {
  await using server = await testDatabase();
  const folder = tempFolder();
  for (const { name, text: sql } of readMigrations()) writeFileSync(join(folder, name), sql.replaceAll("\n", "\r\n"));
  expect(await migrate(server.database, readMigrations(folder))).toEqual([]);
});

test("a statement that fails takes its file with it, not those before, and is named", async () => {
  await using server = await testDatabase();
  const folder = folderWith("998-good.sql", "CREATE TABLE app.good (id int);");
  writeFileSync(join(folder, "999-bad.sql"), "CREATE TABLE app.bad (id int);\nSELECT 1 / 0;");
  await expect(migrate(server.database, readMigrations(folder))).rejects.toMatchObject({
    code: "DATABASE_REFUSED",
    message: 'the migration 999-bad.sql fails at "SELECT 1 / 0": division by zero',
  });
  expect((await applied(server.database)).slice(-1)).toEqual(["998-good.sql"]);
  expect((await server.database.query("SELECT to_regclass('app.bad') AS bad")).rows).toEqual([{ bad: null }]);
});

test("a connection that is lost in a migration is said to be worth another try", async () => {
  await using server = await testDatabase();
  const folder = folderWith("999-lost.sql", "SELECT pg_terminate_backend(pg_backend_pid());");
  await expect(migrate(server.database, readMigrations(folder))).rejects.toMatchObject({
    code: "DATABASE_UNAVAILABLE",
    retry: "backoff",
  });
  expect(await migrate(server.database)).toEqual([]);
});
