import { Errors } from "typebox/value";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { fillOffice, machineId } from "../../../../test/support/office-data.ts";
import { NOW_MS, type QueryOffice, queryOffice } from "../../../../test/support/query-office.ts";
import { csvOf } from "./csv.ts";
import { sharesOf } from "./read-classes.ts";
import { ClassReport, ElectricityReport } from "./schema.ts";

const PRESS = machineId(0, 2);
let office: QueryOffice;

beforeAll(async () => {
  office = await queryOffice();
  await fillOffice(office.db.database, {
    factories: 2,
    machines: 4,
    signals: 3,
    rollupHours: 4,
    rollupMachines: 4,
    entities: 600,
    nowMs: NOW_MS,
  });
});
afterAll(() => office?.[Symbol.asyncDispose]());

describe("electricity of anomalous readings against all readings", () => {
  test("is of the entities that measured it, the anomalous ones told by entity_id", async () => {
    const report = await office.get<ElectricityReport>("/api/query/reports/electricity", {
      by: "machine",
      machine: PRESS,
    });
    expect(Errors(ElectricityReport, report)).toEqual([]);
    const [group] = report.groups;
    // The third machine: 23 + k % 3, times 1.5 of each fifth.
    const values = Array.from({ length: 600 }, (_, k) => (23 + ((k + 1) % 3)) * ((k + 1) % 5 === 0 ? 1.5 : 1));
    const anomalous = values.filter((_, k) => (k + 1) % 5 === 0);
    expect(report.groups.map((each) => each.group)).toEqual([PRESS]);
    expect(group?.all.count).toBe(600);
    expect(group?.all.mean).toBeCloseTo(mean(values), 10);
    expect(group?.all.sd).toBeCloseTo(sd(values), 10);
    expect(group?.anomalous.count).toBe(120);
    expect(group?.anomalous.mean).toBeCloseTo(mean(anomalous), 10);
    expect(group?.anomalous.sd).toBeCloseTo(sd(anomalous), 10);
    expect(report.bins).toHaveLength(24);
    expect(report.bins.reduce((sum, { all }) => sum + all, 0)).toBe(600);
    expect(report.bins.reduce((sum, bin) => sum + bin.anomalous, 0)).toBe(120);
    expect(report.bins[0]).toMatchObject({ from: 23, anomalous: 0 });
    expect(report.bins.at(-1)).toMatchObject({ to: 37.5 });
    expect(group?.recorded.count).toBeGreaterThan(3 * 3_600);
    expect(report.unit).toBe("%");
  });

  test("an anomaly of another machine with the same entity id, and an entity without a number, count for nothing", async () => {
    const { database } = office.db;
    await database.query(
      "INSERT INTO model.anomaly (machine_id, id, factory_id, entity_id, event_at, kind, message, model, model_version, scored_by) VALUES ($1, 'stray', 'redmond', $2, $3, 'spike', '', 'm', '1', 'cloud')",
      [machineId(0, 1), `${PRESS}#1`, new Date(NOW_MS)],
    );
    await database.query(
      "INSERT INTO model.entity_event (machine_id, id, factory_id, entity_type, entity_id, event_type, event_data, event_at, epoch, seq) VALUES ($1, 'bad', 'redmond', 'MachineTelemetry', 'bad', 'Telemetry Ingest', $2, $3, 'e1', 1)",
      [PRESS, { electricityUtilization: null, machineTemperature: "hot" }, new Date(NOW_MS - 1)],
    );
    const { groups } = await office.get<ElectricityReport>("/api/query/reports/electricity", {
      by: "machine",
      machine: PRESS,
    });
    expect([groups[0]?.all.count, groups[0]?.anomalous.count]).toEqual([600, 120]);
    expect(groups[0]?.all.maximum).toBeLessThan(40);
  });

  test("by factory is put together exactly from its parts, and can be had as CSV", async () => {
    const report = await office.get<ElectricityReport>("/api/query/reports/electricity");
    const { rows } = await office.db.database.query<{ factory: string; mean: number; sd: number }>(
      `SELECT factory_id AS factory, avg(v) AS mean, stddev_samp(v) AS sd
         FROM (SELECT factory_id, (event_data ->> 'electricityUtilization')::float8 AS v FROM model.entity_event WHERE id <> 'bad') e GROUP BY 1 ORDER BY 1`,
    );
    expect(report.groups.map(({ group }) => group)).toEqual(rows.map(({ factory }) => factory));
    for (const [index, row] of rows.entries()) {
      expect(report.groups[index]?.all.mean).toBeCloseTo(row.mean, 9);
      expect(report.groups[index]?.all.sd).toBeCloseTo(row.sd, 9);
    }
    expect(report.total.all.count).toBe(4_800);
    const { body } = await office.ask("/api/query/reports/electricity.csv");
    const lines = body.split("\r\n");
    expect(lines[0]).toMatch(/^factory,all_count,all_mean,all_sd,/);
    expect(lines.map((line) => line.split(",")[0])).toEqual(["factory", "leipzig", "redmond", "total", ""]);
    expect(Number(lines[1]?.split(",")[2])).toBeCloseTo(rows[0]?.mean ?? 0, 9);
    const distribution = await office.ask("/api/query/reports/electricity.csv", { table: "distribution" });
    expect(distribution.body.trim().split("\r\n")).toHaveLength(25);
  });
});

describe("temperature against pressure by maintenance class", () => {
  test("joins each prediction with the readings of its entity", async () => {
    const report = await office.get<ClassReport>("/api/query/reports/classes", { machine: PRESS });
    expect(Errors(ClassReport, report)).toEqual([]);
    expect(report.classes.map(({ requirement, count }) => [requirement, count])).toEqual([
      ["loosen the restrictor plate", 200],
      ["none", 200],
      ["tighten the adjustment harness", 200],
    ]);
    // The third machine is of class (3 + k) % 3: 0 when k is a multiple of three.
    const ks = Array.from({ length: 200 }, (_, k) => 3 * (k + 1));
    const none = report.classes.find(({ requirement }) => requirement === "none");
    expect(none?.x.mean).toBeCloseTo(mean(ks.map((k) => 50 + ((k * 7 + 3) % 40))), 9);
    expect(none?.y.sd).toBeCloseTo(sd(ks.map((k) => 7_400 + ((k * 13 + 9) % 300))), 9);
    expect(none?.points).toHaveLength(200);
    expect(report.sampled).toBe(false);
    expect(report.bounds).toMatchObject({ xMin: 50, xMax: 89 });
  });

  test("P27 shows a bounded sample, the same each time, and counts all", async () => {
    const report = await office.get<ClassReport>("/api/query/reports/classes");
    expect(report.classes.reduce((sum, { count }) => sum + count, 0)).toBe(4_800);
    expect(report.classes.reduce((sum, { points }) => sum + points.length, 0)).toBe(2_000);
    expect(report.sampled).toBe(true);
    expect(await office.get("/api/query/reports/classes")).toEqual(report);
    expect(sharesOf([10, 5_000, 100_000, 1], 2_000)).toEqual([10, 994, 995, 1]);
    const { body } = await office.ask("/api/query/reports/classes.csv", { table: "points" });
    expect(body.split("\r\n")).toHaveLength(1 + 2_000 + 1);
  });

  test("takes one word for an entity of which several models have spoken", async () => {
    await office.db.database.query(
      `INSERT INTO model.prediction (machine_id, id, factory_id, entity_id, event_at, requirement, outside_training, signals, message, model, model_version, scored_by)
       VALUES ($1, 'late', 'redmond', $2, $3, 'replace everything', false, '[]', '', 'maintenance', '9.0.0', 'cloud')`,
      [PRESS, `${PRESS}#5`, new Date(NOW_MS - 300_000)],
    );
    const report = await office.get<ClassReport>("/api/query/reports/classes", { machine: PRESS });
    expect(report.classes.map(({ count }) => count)).toEqual([200, 200, 200]);
  });
});

test("CSV is as RFC 4180 says, and no text in it is a formula", () => {
  const text = csvOf(
    ["name", "value"],
    [
      ['say "hi", you', -1.5],
      ["=HYPERLINK(1)", null],
      ["+1", 0],
      ["@SUM(A1)", 1e21],
      ["\t=1", Number.NaN],
      ["two\nlines", 2],
      [" -cmd", 3],
      ["plain - text", 4],
    ],
  );
  expect(text).toBe(
    [
      "name,value",
      '"say ""hi"", you",-1.5',
      "'=HYPERLINK(1),",
      "'+1,0",
      "'@SUM(A1),1e+21",
      "'\t=1,",
      '"two\nlines",2',
      "' -cmd,3",
      "plain - text,4",
      "",
    ].join("\r\n"),
  );
});

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function sd(values: readonly number[]): number {
  const middle = mean(values);
  return Math.sqrt(values.reduce((sum, value) => sum + (value - middle) ** 2, 0) / (values.length - 1));
}
