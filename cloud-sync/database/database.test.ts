import { expect, test } from "vitest";
import { testDatabase } from "../../test/support/postgres.ts";
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
