import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { fillOffice, machineId } from "../../../test/support/office-data.ts";
import { NOW_MS, type QueryOffice, queryOffice } from "../../../test/support/query-office.ts";
import { openReads } from "./reads.ts";

let office: QueryOffice;
beforeAll(async () => {
  office = await queryOffice();
  await fillOffice(office.db.database, {
    factories: 1,
    machines: 4,
    signals: 3,
    rollupHours: 1,
    rollupMachines: 1,
    entities: 9,
    nowMs: NOW_MS,
  });
});
afterAll(() => office?.[Symbol.asyncDispose]());

describe("what is asked for wrongly is told in one sentence", () => {
  const mill = machineId(0, 0);
  test.each([
    ["machines", { limit: 0 }, "limit must be a whole number from 1 to 500"],
    ["machines", { limit: 501 }, "limit must be a whole number from 1 to 500"],
    ["machines", { limit: "many" }, "limit must be a whole number from 1 to 500"],
    ["machines", { order: "colour" }, 'order must be "need" or "freshness" or "name"'],
    ["machines", { offset: 100 }, 'there is no parameter "offset" here'],
    ["machines", { text: "x".repeat(201) }, "text must be a text of 0 to 200 characters"],
    ["machines", { factory: "" }, "factory must be a text of 1 to 512 characters"],
    ["machines", { cursor: "%%%" }, "the cursor is damaged"],
    ["machine", {}, "the parameter id is missing"],
    ["anomalies", { fromMs: -1 }, "fromMs must be a whole number from 0 to 253402300799999"],
    ["anomalies", { fromMs: 1e20 }, "fromMs must be a whole number from 0 to 253402300799999"],
    ["anomalies", { machine: ["a", "b"] }, "machine must be a text of 1 to 512 characters"],
    ["metadata", { kind: ["factory", "castle"] }, "kind must be at most 5 values, each"],
    ["metadata/entity", { kind: "factory" }, "the parameter id is missing"],
    ["maintenance", { windowHours: 2 }, "windowHours must be 1 or 24"],
    ["maintenance", { fromMs: 0 }, "windows of 1 h are read for 32 days at most"],
    ["trends", { machine: mill }, "the parameter signal is missing"],
    [
      "trends",
      { machine: [mill, mill], signal: "s" },
      "2 machines and 1 signals were named; each signal needs its machine",
    ],
    ["trends", { machine: Array(9).fill(mill), signal: Array(9).fill("s") }, "machine must be at most 8 values, each"],
    ["trends", { machine: mill, signal: "s", fromMs: 5, toMs: 5 }, "fromMs must be before toMs"],
    ["trends", { machine: mill, signal: "s", fromMs: 0 }, "a trend spans three years at most"],
    ["reports/electricity", { fromMs: 0 }, "a report spans 31 days at most"],
    ["reports/classes.csv", { table: "chairs" }, 'table must be "classes" or "points"'],
  ])("%s %j", async (path, query, sentence) => {
    const { status, body } = await office.ask(`/api/query/${path}`, query);
    const answer = JSON.parse(body);
    expect([status, Object.keys(answer)]).toEqual([400, ["error", "message", "hint"]]);
    expect(answer.message).toContain(sentence);
  });

  test("a cursor of another question, or with made-up keys, is refused", async () => {
    const { nextCursor } = await office.get<{ nextCursor: string }>("/api/query/anomalies", { limit: 1 });
    const other = await office.ask("/api/query/anomalies", { limit: 1, order: "oldest", cursor: nextCursor });
    expect([other.status, other.body]).toEqual([400, expect.stringContaining("belongs to another question")]);
    const [mark] = JSON.parse(Buffer.from(nextCursor, "base64url").toString());
    for (const keys of [["never", "m", "i"], ["2026-01-01", "'; DROP TABLE model.anomaly; --", "\u0000"], []]) {
      const made = Buffer.from(JSON.stringify([mark, ...keys])).toString("base64url");
      expect((await office.ask("/api/query/anomalies", { limit: 1, cursor: made })).status).toBe(400);
    }
  });

  test("text with NUL, which PostgreSQL can't hold, is refused and no failure of ours", async () => {
    expect((await office.ask("/api/query/machines", { text: "a\u0000b" })).status).toBe(400);
    expect((await office.ask("/api/query/machine", { id: "a\u0000b" })).status).toBe(400);
  });
});

test("who is not known gets nothing; the description of the service is for all", async () => {
  const { app } = office;
  const description = await app.inject("/api/query/openapi.json");
  const paths: Record<string, { get: { parameters?: { name: string }[] } }> = description.json().paths;
  expect(Object.keys(paths).length).toBeGreaterThan(15);
  expect(paths["/api/query/trends"]?.get.parameters?.map(({ name }) => name)).toEqual([
    "machine",
    "signal",
    "fromMs",
    "toMs",
  ]);
  for (const path of Object.keys(paths)) {
    const answer = await app.inject(path.replace("{id}", "x"));
    expect([path, answer.statusCode, answer.json().error]).toEqual([path, 401, "LOGIN_NEEDED"]);
  }
});

test("connections of the service can't write, and a statement ends in time", async () => {
  await using reads = openReads(office.db.url);
  await expect(reads.query("DELETE FROM model.anomaly")).rejects.toThrow(/read-only transaction/);
  const { rows } = await reads.query("SHOW statement_timeout");
  expect(rows).toEqual([{ statement_timeout: "10s" }]);
});

test("an office without any factory answers with nothing", async () => {
  await using empty = await queryOffice();
  expect(await empty.get("/api/query/overview")).toEqual({ nowMs: NOW_MS, factories: [] });
  for (const path of [
    "machines",
    "telemetry",
    "anomalies",
    "alarms",
    "predictions",
    "maintenance",
    "metadata",
    "ledger",
  ])
    expect(await empty.get(`/api/query/${path}`)).toEqual({ rows: [], nextCursor: null });
  expect(await empty.get("/api/query/maintenance", { by: [] })).toMatchObject({ rows: [] });
  expect(await empty.get("/api/query/reports/electricity")).toMatchObject({ groups: [], bins: [] });
  expect(await empty.get("/api/query/reports/classes")).toMatchObject({ classes: [], bounds: null });
});
