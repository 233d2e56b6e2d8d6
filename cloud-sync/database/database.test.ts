import { setTimeout as delay } from "node:timers/promises";
import { expect, test } from "vitest";
import { freePort } from "../../edge/kernel/free-port.ts";
import { testDatabase } from "../../test/support/postgres.ts";
import { Database } from "./database.ts";
import { statementsOf } from "./statements.ts";

test("statements are cut at semicolons that stand in no string, body or comment", () => {
  const text = "-- a; b\nCREATE TABLE \"x;y\" (a text DEFAULT 'p;''q');\n/* ; */ SELECT $f$ ; $f$; ;\nSELECT 1 - 2";
  expect(statementsOf(text)).toEqual([
    "CREATE TABLE \"x;y\" (a text DEFAULT 'p;''q')",
    "SELECT $f$ ; $f$",
    "SELECT 1 - 2",
  ]);
});

test("a table that Citus could not distribute is refused on plain PostgreSQL too", async () => {
  await using server = await testDatabase();
  const { database } = server;
  await database.query("CREATE TABLE wrong (machine_id text, id bigint PRIMARY KEY)");
  await expect(database.query("SELECT app.distribute('wrong', 'machine_id', 'none')")).rejects.toThrow(
    /unique index wrong_pkey lacks machine_id/,
  );
  await expect(database.query("SELECT app.distribute('wrong', 'other', 'none')")).rejects.toThrow(/no column other/);
  await database.query("CREATE TABLE right_one (machine_id text, id bigint, PRIMARY KEY (machine_id, id))");
  await database.query("SELECT app.distribute('right_one', 'machine_id', 'none')");
});

test("a connection that breaks between two statements of a transaction ends the transaction, not the process", async () => {
  await using server = await testDatabase({ migrated: false });
  const { database } = server;
  const broken = database.transaction(async (sql) => {
    const { rows } = await sql.query<{ pid: number }>("SELECT pg_backend_pid() AS pid");
    await database.query("SELECT pg_terminate_backend($1)", [rows[0]?.pid]);
    await delay(50);
    await sql.query("SELECT 1");
  });
  await expect(broken).rejects.toMatchObject({ code: "DATABASE_UNAVAILABLE", retry: "backoff" });
  expect((await database.query("SELECT 7 AS seven")).rows).toEqual([{ seven: 7 }]);
});

test("a transaction whose failed statement was passed over is not taken for committed", async () => {
  await using server = await testDatabase({ migrated: false });
  const { database } = server;
  await database.query("CREATE TABLE t (id int)");
  const swallowed = database.transaction(async (sql) => {
    await sql.query("INSERT INTO t VALUES (1)");
    await sql.query("SELECT 1 / 0").catch(() => undefined);
  });
  await expect(swallowed).rejects.toMatchObject({ code: "DATABASE_REFUSED" });
  expect((await database.query("SELECT FROM t")).rowCount).toBe(0);
});

test("what the work throws rolls back and comes out as it is; closing twice is no error", async () => {
  await using server = await testDatabase({ migrated: false });
  await using database = new Database({ url: server.url });
  await database.query("CREATE TABLE t (id int)");
  const reason = new Error("mine");
  const failed = database.transaction(async (sql) => {
    await sql.query("INSERT INTO t VALUES (1)");
    throw reason;
  });
  await expect(failed).rejects.toBe(reason);
  expect((await database.query("SELECT FROM t")).rowCount).toBe(0);
  await database[Symbol.asyncDispose]();
});

test("errors tell whether another try can help", async () => {
  await using server = await testDatabase({ migrated: false });
  const refused = server.database.query("SELECT nonsense");
  await expect(refused).rejects.toMatchObject({ code: "DATABASE_REFUSED", retry: "never" });
  await using wrong = new Database({ url: server.url.replace(/\/\/[^@]*@/, "//tailstock:wrong@") });
  await expect(wrong.query("SELECT 1")).rejects.toMatchObject({
    code: "DATABASE_REFUSED",
    hint: "Check user and password in the database's URL.",
  });
  await using away = new Database({ url: `postgres://a:b@127.0.0.1:${await freePort()}/c` });
  await expect(away.query("SELECT 1")).rejects.toMatchObject({ code: "DATABASE_UNAVAILABLE", retry: "backoff" });
});
