import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { polledFactory } from "../../test/support/block-samples.ts";
import { blockOf, put, readingsOf } from "../../test/support/lake.ts";
import { followOnce, lakeBench } from "../../test/support/lake-bench.ts";
import { runCli, temporaryFolder } from "./testing.ts";

// The lake's commands on a lake that the writer wrote, with the program as a child process. Its readings: 20 s of one machine.
const [mill = []] = polledFactory(20);

async function lakeIn(cwd: string): Promise<string> {
  const folder = join(cwd, "lake");
  await using own = await lakeBench(folder);
  await put(own.store, blockOf(mill.slice(0, 10)));
  await followOnce(own);
  await put(own.store, blockOf(mill.slice(10)));
  await followOnce(own);
  return folder;
}

test("lake query: a table with a note of how many rows there are, JSON lines, an error with its place", async () => {
  const cwd = temporaryFolder();
  await lakeIn(cwd);
  const rows = readingsOf(mill).length;
  const at = ["--folder", "lake"];
  const table = await runCli(["lake", "query", "SELECT factory, count(*) AS n FROM readings GROUP BY factory", ...at], {
    cwd,
  });
  expect([table.code, table.stdout.split("\n").map((line) => line.trim().split(/\s+/))]).toEqual([
    0,
    [["factory", "n"], ["redmond", String(rows)], [""]],
  ]);
  const cut = await runCli(["lake", "query", "SELECT * FROM readings", "--limit", "2", ...at], { cwd });
  expect(cut.stdout.trim().split("\n")).toHaveLength(3);
  expect(cut.stderr).toContain(`the first 2 of ${rows} rows; more with --limit`);
  const json = await runCli(
    ["--json", "lake", "query", "SELECT seq, value, time FROM readings ORDER BY ALL LIMIT 1", ...at],
    { cwd },
  );
  expect(JSON.parse(json.stdout)).toEqual({
    seq: 1,
    value: expect.any(Number),
    time: expect.stringMatching(/^2026-05-28 /),
  });
  const wrong = await runCli(["lake", "query", "SELECT valu FROM readings", ...at], { cwd });
  expect([wrong.code, wrong.stderr]).toEqual([1, expect.stringMatching(/valu[\s\S]*LINE 1[\s\S]*\^[\s\S]*columns/)]);
  const stolen = await runCli(["--json", "lake", "query", "SELECT * FROM read_text('/etc/passwd')", ...at], { cwd });
  expect(JSON.parse(stolen.stderr)).toMatchObject({ error: { code: "LAKE_QUERY" } });
  const none = await runCli(["lake", "query", "SELECT count(*) FROM readings", "--factory", "oslo", ...at], { cwd });
  expect(none.stdout).toMatch(/\n\s*0\n/);
});

test("lake status says how much there is; without a lake, where it looked", async () => {
  const cwd = temporaryFolder();
  await lakeIn(cwd);
  const status = await runCli(["--json", "lake", "status", "--folder", "lake"], { cwd });
  expect(JSON.parse(status.stdout)).toMatchObject({
    lake: join(cwd, "lake"),
    kinds: [
      { kind: "readings", files: 2, rows: readingsOf(mill).length, factories: 1 },
      { kind: "events", rows: 0 },
      { kind: "rollups" },
    ],
  });
  expect((await runCli(["lake", "status", "--folder", "lake"], { cwd })).stdout).toMatch(/readings\s+\d+/);
  const empty = temporaryFolder();
  mkdirSync(join(empty, "sub"));
  const lost = await runCli(["lake", "status"], { cwd: empty });
  expect([lost.code, lost.stderr]).toEqual([2, expect.stringContaining("cloud.yaml")]);
  const both = await runCli(["lake", "status", "--folder", "a", "--blob", "b"], { cwd: empty });
  expect(both.stderr).toContain("two places");
});
