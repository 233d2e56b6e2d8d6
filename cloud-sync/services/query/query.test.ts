import { Errors } from "typebox/value";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { factoryName, fillOffice, machineId } from "../../../test/support/office-data.ts";
import { NOW_MS, type QueryOffice, queryOffice } from "../../../test/support/query-office.ts";
import { AlarmPage, AnomalyPage, EntityEventPage, PredictionPage } from "./entities/schema.ts";
import { LedgerPage, LedgerSums } from "./ledger/schema.ts";
import { MachineDetail, MachinePage } from "./machines/schema.ts";
import { AggregatePage } from "./maintenance/schema.ts";
import { MetadataHistory, MetadataPage } from "./metadata/schema.ts";
import { Overview } from "./overview/schema.ts";

const SIZE = {
  factories: 5,
  machines: 100,
  signals: 100,
  rollupHours: 1,
  rollupMachines: 1,
  entities: 6,
  nowMs: NOW_MS,
};
let office: QueryOffice;

beforeAll(async () => {
  office = await queryOffice();
  await fillOffice(office.db.database, SIZE);
});
afterAll(() => office?.[Symbol.asyncDispose]());

describe("the overview", () => {
  test("shows five factories of a hundred machines: states, alarms, anomalies, freshness, lines", async () => {
    const overview = await office.get<Overview>("/api/query/overview");
    expect(Errors(Overview, overview)).toEqual([]);
    expect(overview.factories.map(({ name }) => name)).toEqual(["Gdańsk", "Leipzig", "Monterrey", "Pune", "Redmond"]);
    const redmond = overview.factories.find(({ factoryId }) => factoryId === "redmond");
    expect(redmond?.machines).toEqual({
      total: 100,
      byState: { disconnected: 1, idle: 10, setup: 10, fault: 1, running: 78 },
      silent: 0,
    });
    expect(redmond?.anomalies).toEqual({ hour: 100, day: 100 });
    expect(redmond?.newestMs).toBe(NOW_MS);
    expect(redmond?.alarms[0]?.priority).toBe("critical");
    const { rows } = await office.db.database.query(
      "SELECT count(*) FILTER (WHERE state = 'unacknowledged') AS unacknowledged, count(*) FILTER (WHERE state IN ('unacknowledged', 'acknowledged')) AS active FROM model.alarm WHERE factory_id = 'redmond'",
    );
    const sum = (of: "unacknowledged" | "active") => redmond?.alarms.reduce((total, each) => total + each[of], 0);
    expect({ unacknowledged: sum("unacknowledged"), active: sum("active") }).toEqual(rows[0]);
    const monterrey = overview.factories.find(({ factoryId }) => factoryId === "monterrey");
    expect(monterrey?.lines).toMatchObject([
      {
        deviceId: "box-monterrey",
        connected: false,
        condition: "cut",
        backlogEvents: 41_203,
        drainSeconds: 240,
        lastError: { code: "UPLINK_UNREACHABLE", atMs: Date.UTC(2026, 0, 5, 5, 12) },
      },
    ]);
  });

  test("tells of the ledger exactly what is not here, and why", async () => {
    const { factories } = await office.get<Overview>("/api/query/overview");
    const { ledger } = factories.find(({ factoryId }) => factoryId === "redmond") as Overview["factories"][number];
    expect(ledger).toMatchObject({ streams: 100, missing: 10, lost: 2, thinned: 0 });
    expect(ledger.troubles).toEqual([
      {
        machineId: machineId(0, 29),
        epoch: "e1",
        missing: 10,
        lost: 0,
        thinned: 0,
        ranges: [{ firstSeq: 101, lastSeq: 110, state: "missing", cause: "" }],
        moreRanges: false,
      },
      {
        machineId: machineId(0, 30),
        epoch: "e1",
        missing: 0,
        lost: 2,
        thinned: 0,
        ranges: [{ firstSeq: 101, lastSeq: 102, state: "lost", cause: "corrupt: a block of the log was damaged" }],
        moreRanges: false,
      },
    ]);
  });

  test("that has not changed costs a line; a change is seen within a second", async () => {
    const { app, db } = office;
    const headers = { authorization: office.authorization };
    const first = await app.inject({ url: "/api/query/overview", headers });
    const etag = String(first.headers.etag);
    const again = await app.inject({ url: "/api/query/overview", headers: { ...headers, "if-none-match": etag } });
    expect([again.statusCode, again.body]).toEqual([304, ""]);
    await db.database.query("UPDATE app.line SET connected = NOT connected WHERE device_id = 'box-leipzig'");
    const beganMs = performance.now();
    let status = 304;
    while (status === 304 && performance.now() - beganMs < 5_000)
      status = (await app.inject({ url: "/api/query/overview", headers: { ...headers, "if-none-match": etag } }))
        .statusCode;
    expect(status).toBe(200);
    expect(performance.now() - beganMs).toBeLessThan(1_500);
  });
});

describe("lists", () => {
  test("of machines are ranked by need: fewest hours first, then the surest, nothing to do last", async () => {
    const { rows } = await office.get<MachinePage>("/api/query/machines", { limit: 500 });
    expect(rows).toHaveLength(500);
    const rank = (row: (typeof rows)[number]) =>
      row.need === null || row.need.requirement === "none" ? Infinity : (row.need.remainingHours ?? 1e9);
    const ranks = rows.map(rank);
    expect(ranks).toEqual(ranks.toSorted((a, b) => a - b));
    expect(ranks[0]).toBeLessThan(30);
    expect(ranks.at(-1)).toBe(Infinity);
    const unknown = rows.filter((row) => rank(row) === 1e9).map(({ need }) => need?.probability ?? 0);
    expect(unknown).toEqual(unknown.toSorted((a, b) => b - a));
  });

  test("of machines are filtered by factory, state and text, with signs that mean something to SQL", async () => {
    const faulty = await office.get<MachinePage>("/api/query/machines", { factory: "redmond", state: "fault" });
    expect(faulty.rows.map((row) => row.machineId)).toEqual([machineId(0, 58)]);
    const named = await office.get<MachinePage>("/api/query/machines", { text: "grinder 003", order: "name" });
    expect(named.rows.map((row) => row.factoryId).sort()).toEqual([0, 1, 2, 3, 4].map(factoryName).sort());
    for (const text of ["%", "_", "\\", "'; DROP TABLE model.anomaly; --"])
      expect((await office.get<MachinePage>("/api/query/machines", { text })).rows).toEqual([]);
  });

  test.each([
    ["machines", "/api/query/machines", { order: "need" }, (row: Row) => row.machineId],
    ["machines by name", "/api/query/machines", { order: "name" }, (row: Row) => row.machineId],
    ["telemetry", "/api/query/telemetry", {}, (row: Row) => `${row.machineId} ${row.id}`],
    ["anomalies", "/api/query/anomalies", { order: "oldest" }, (row: Row) => `${row.machineId} ${row.id}`],
    ["alarms", "/api/query/alarms", { only: "all" }, (row: Row) => `${row.machineId} ${row.alarmId}`],
    ["predictions", "/api/query/predictions", {}, (row: Row) => `${row.machineId} ${row.id}`],
    ["ledger", "/api/query/ledger", { only: "all" }, (row: Row) => `${row.machineId} ${row.epoch}`],
    ["metadata", "/api/query/metadata", {}, (row: Row) => `${row.kind} ${row.id}`],
    ["metadata by age", "/api/query/metadata", { order: "newest" }, (row: Row) => `${row.kind} ${row.id}`],
  ] as const)("of %s, read page by page, hold each row once", async (_name, path, query, keyOf) => {
    const keys: string[] = [];
    let cursor: string | null = null;
    let pages = 0;
    do {
      const page: { rows: Row[]; nextCursor: string | null } = await office.get(path, {
        ...query,
        limit: 137,
        ...(cursor === null ? {} : { cursor }),
      });
      keys.push(...page.rows.map(keyOf));
      cursor = page.nextCursor;
      pages += 1;
    } while (cursor !== null && pages < 100);
    expect(new Set(keys).size).toBe(keys.length);
    const table = path.split("/").at(-1) as keyof typeof TABLES;
    const { rows } = await office.db.database.query<{ rows: number }>(`SELECT count(*) AS rows FROM ${TABLES[table]}`);
    expect(keys).toHaveLength(rows[0]?.rows ?? -1);
    expect(pages).toBeGreaterThan(1);
  });

  test("neither repeat nor lose what was there while rows are added between pages", async () => {
    const { database } = office.db;
    const before = await keysOf("anomaly");
    const seen: string[] = [];
    let cursor: string | null = null;
    for (let page = 0; ; page++) {
      // At the front, in the middle and behind; and at the very time of the page's last row.
      await database.query(
        `INSERT INTO model.anomaly (machine_id, id, factory_id, entity_id, event_at, kind, message, model, model_version, scored_by)
         SELECT machine_id, 'new-' || $1::text || '-' || id, factory_id, entity_id, event_at + (n % 3 - 1) * interval '90 seconds', kind, message, model, model_version, scored_by
           FROM (SELECT *, row_number() OVER (ORDER BY machine_id) AS n FROM model.anomaly WHERE id NOT LIKE 'new-%') a WHERE n % 60 = $2::int`,
        [page, page],
      );
      const answer: { rows: Row[]; nextCursor: string | null } = await office.get("/api/query/anomalies", {
        limit: 50,
        ...(cursor === null ? {} : { cursor }),
      });
      seen.push(...answer.rows.map((row) => `${row.machineId} ${row.id}`));
      cursor = answer.nextCursor;
      if (cursor === null) break;
    }
    await database.query("DELETE FROM model.anomaly WHERE id LIKE 'new-%'");
    expect(new Set(seen).size).toBe(seen.length);
    expect(seen.filter((key) => !key.includes(" new-")).sort()).toEqual(before);
  });

  test("answer as their schemas say", async () => {
    for (const [path, schema, query] of [
      ["machines", MachinePage, {}],
      ["telemetry", EntityEventPage, {}],
      ["anomalies", AnomalyPage, {}],
      ["alarms", AlarmPage, {}],
      ["predictions", PredictionPage, {}],
      ["ledger", LedgerPage, {}],
      ["ledger/sums", LedgerSums, {}],
      ["maintenance", AggregatePage, {}],
      ["metadata", MetadataPage, {}],
      ["metadata/history", MetadataHistory, { kind: "factory", id: "redmond" }],
    ] as const) {
      const answer = await office.get(`/api/query/${path}`, query);
      expect([path, Errors(schema, answer)]).toEqual([path, []]);
    }
  });

  test("of telemetry are filtered by entity, event type and time", async () => {
    const machine = machineId(2, 7);
    type Answer = { rows: { id: string; data: object }[] };
    const one = await office.get<Answer>("/api/query/telemetry", { machine, entity: `${machine}#3` });
    expect(one.rows.map(({ id }) => id)).toEqual(["t3"]);
    expect(Object.keys(one.rows[0]?.data ?? {})).toHaveLength(3);
    const span = { machine, fromMs: NOW_MS - 180_000, toMs: NOW_MS - 60_000, order: "oldest" };
    expect((await office.get<Answer>("/api/query/telemetry", span)).rows.map(({ id }) => id)).toEqual(["t3", "t2"]);
    expect((await office.get<Answer>("/api/query/telemetry", { eventType: "None Such" })).rows).toEqual([]);
  });
});

test("a machine is found by its id, in the path or as a parameter, with its newest values; any id may be asked for", async () => {
  const id = machineId(1, 4);
  for (const path of [
    `/api/query/machine?id=${encodeURIComponent(id)}`,
    `/api/query/machines/${encodeURIComponent(id)}`,
  ]) {
    const machine = await office.get<MachineDetail>(path);
    expect(Errors(MachineDetail, machine)).toEqual([]);
    expect(machine.machineId).toBe(id);
    expect(machine.signals).toHaveLength(100);
    expect(machine.signals[2]).toEqual({
      name: "machinePressure",
      title: "Pressure",
      unit: "psi",
      type: "float64",
      intervalMs: 1_000,
      value: 105_003,
      statusCode: 0,
      sourceMs: NOW_MS - 800,
      receivedMs: NOW_MS - 800,
    });
  }
  const odd = `a/b'"%25 🛠 ${"x".repeat(400)}`;
  expect((await office.ask("/api/query/machine", { id: odd })).status).toBe(404);
  expect((await office.ask(`/api/query/machines/${encodeURIComponent(odd)}`)).status).toBe(404);
});

test("the stream of a factory's box is no machine, and one that has left the configuration is none any more", async () => {
  const { database } = office.db;
  const before = await office.get<MachinePage>("/api/query/machines", { factory: "pune", limit: 500 });
  await database.query(
    `INSERT INTO model.machine_latest SELECT (jsonb_populate_record(m, '{"machine_id": "pune/edge"}')).* FROM model.machine_latest m WHERE machine_id = $1`,
    [machineId(3, 7)],
  );
  await database.query("UPDATE model.machine_latest SET removed = true WHERE machine_id = $1", [machineId(3, 8)]);
  const after = await office.get<MachinePage>("/api/query/machines", { factory: "pune", limit: 500 });
  const ids = after.rows.map((row) => row.machineId);
  expect(ids).not.toContain("pune/edge");
  expect(ids).toHaveLength(before.rows.length - 1);
  const removed = await office.get<MachineDetail>("/api/query/machine", { id: machineId(3, 8) });
  expect(removed.removed).toBe(true);
});

test("maintenance aggregates are summed over what is not grouped by", async () => {
  type Answer = { rows: Record<string, unknown>[]; nextCursor: string | null };
  const whole = await office.get<Answer>("/api/query/maintenance", { windowHours: 24, by: "requirement" });
  expect(whole.rows.reduce((sum, { predictions }) => sum + Number(predictions), 0)).toBe(3_000);
  expect(whole.rows[0]).toMatchObject({ windowMs: null, factoryId: null, machineId: null });
  const one = await office.get<Answer>("/api/query/maintenance", {
    windowHours: 1,
    by: ["window", "machine"],
    factory: "pune",
  });
  expect(one.rows).toHaveLength(100);
  expect(one.rows.every((row) => row.predictions === 6 && row.windowMs === NOW_MS - 3_600_000)).toBe(true);
  const first = await office.get<Answer>("/api/query/maintenance", { by: ["machine", "requirement"], limit: 500 });
  const rest = await office.get<Answer>("/api/query/maintenance", {
    by: ["machine", "requirement"],
    limit: 500,
    cursor: first.nextCursor ?? "",
  });
  const keys = [...first.rows, ...rest.rows].map(({ machineId: id, requirement }) => `${id} ${requirement}`);
  expect(new Set(keys).size).toBe(1_000);
});

const TABLES = {
  machines: "model.machine_latest",
  telemetry: "model.entity_event",
  anomalies: "model.anomaly",
  alarms: "model.alarm",
  predictions: "model.prediction",
  ledger: "model.ledger_stream",
  metadata: "model.metadata",
};
type Row = Readonly<Record<"machineId" | "id" | "alarmId" | "epoch" | "kind", string>>;

async function keysOf(table: string): Promise<string[]> {
  const { rows } = await office.db.database.query<{ key: string }>(
    `SELECT machine_id || ' ' || id AS key FROM model.${table}`,
  );
  return rows.map(({ key }) => key).sort();
}
