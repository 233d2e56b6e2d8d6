import { Errors } from "typebox/value";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { fillOffice, machineId } from "../../../../test/support/office-data.ts";
import { NOW_MS, type QueryOffice, queryOffice } from "../../../../test/support/query-office.ts";
import { bucketed, bucketingOf, TREND_POINTS_MAX } from "./buckets.ts";
import { Trend } from "./schema.ts";

const HOUR_MS = 3_600_000;
const MILL = machineId(0, 0);
const PRESS = machineId(1, 0);
let office: QueryOffice;

beforeAll(async () => {
  office = await queryOffice();
  await fillOffice(office.db.database, {
    factories: 2,
    machines: 2,
    signals: 12,
    rollupHours: 80,
    rollupMachines: 1,
    entities: 1,
    nowMs: NOW_MS,
  });
});
afterAll(() => office?.[Symbol.asyncDispose]());

const ask = (query: Readonly<Record<string, string | number | readonly (string | number)[]>>) =>
  office.get<Trend>("/api/query/trends", { toMs: NOW_MS, ...query });

describe("a trend", () => {
  test("of a day is read from minutes: mean, lowest and highest as they were rolled up", async () => {
    const trend = await ask({ machine: MILL, signal: "machinePressure", fromMs: NOW_MS - 24 * HOUR_MS });
    expect(Errors(Trend, trend)).toEqual([]);
    expect(trend).toMatchObject({ source: "minutes", bucketMs: 60_000 });
    const [series] = trend.series;
    expect(series?.timesMs).toHaveLength(1_440);
    expect(series).toMatchObject({ title: "Pressure", unit: "psi", known: true, thinned: [], bad: 0 });
    const { rows } = await office.db.database.query<{ mean: number; low: number; high: number }>(
      "SELECT sums[3] / counts[3] AS mean, minima[3] AS low, maxima[3] AS high FROM model.rollup_1m WHERE machine_id = $1 AND minute_at = $2",
      [MILL, new Date(NOW_MS - 600_000)],
    );
    const at = series?.timesMs.indexOf(NOW_MS - 600_000) ?? -1;
    expect([series?.means[at], series?.minima[at], series?.maxima[at]]).toEqual(Object.values(rows[0] ?? {}));
  });

  test("of many signals across machines and factories keeps their order; what is not there is said to be unknown", async () => {
    const trend = await ask({
      machine: [PRESS, MILL, MILL, "nowhere/none"],
      signal: ["machinePressure", "s005", "none", "x"],
      fromMs: NOW_MS - 2 * HOUR_MS,
    });
    expect(
      trend.series.map(({ machineId: id, signal, known, timesMs }) => [id, signal, known, timesMs.length]),
    ).toEqual([
      [PRESS, "machinePressure", true, 120],
      [MILL, "s005", true, 120],
      [MILL, "none", false, 0],
      ["nowhere/none", "x", false, 0],
    ]);
  });

  test("follows a signal into another set of the machine's signals", async () => {
    const { database } = office.db;
    await database.query(
      "INSERT INTO model.signal_set (machine_id, set_no, signals) SELECT machine_id, 2, ARRAY['added'] || signals FROM model.signal_set WHERE machine_id = $1",
      [machineId(1, 1)],
    );
    await database.query(
      `INSERT INTO model.rollup_1m (machine_id, minute_at, set_no, counts, bad, minima, maxima, sums)
       VALUES ($1, $2, 1, '{2}', '{1}', '{3}', '{5}', '{8}'), ($1, $3, 2, '{9,4}', '{0,2}', '{90,6}', '{99,8}', '{850,28}')`,
      [machineId(1, 1), new Date(NOW_MS - 240_000), new Date(NOW_MS - 120_000)],
    );
    const signal = "electricityUtilization";
    const [series] = (await ask({ machine: machineId(1, 1), signal, fromMs: NOW_MS - HOUR_MS })).series;
    expect(series).toMatchObject({ means: [4, 7], minima: [3, 6], maxima: [5, 8], counts: [2, 4], bad: 3 });
  });

  test("marks where only the box's aggregates are left, and adds them to nothing", async () => {
    await office.db.database.query(
      `INSERT INTO model.thinned_1m (machine_id, epoch, first_seq, last_seq, signal, minute_at, count, minimum, maximum, mean)
       VALUES ($1, 'e1', 10, 90, 'machinePressure', $2, 600, 1, 9, 5), ($1, 'e1', 10, 90, 'machinePressure', $3, 40, 1, 9, 5), ($1, 'e1', 10, 90, 's005', $2, 600, 1, 9, 5)`,
      [MILL, new Date(NOW_MS - 300_000), new Date(NOW_MS - 240_000)],
    );
    const [series] = (await ask({ machine: MILL, signal: "machinePressure", fromMs: NOW_MS - HOUR_MS })).series;
    expect(series?.thinned).toEqual([55]);
    expect([series?.means[55], series?.counts[55], series?.counts[56]]).toEqual([5, 600, 60]);
  });

  test("P27 of any span has so few points that no browser chokes on it", async () => {
    for (const [spanMs, source, points] of [
      [72 * HOUR_MS, "minutes", 1_440],
      [75 * HOUR_MS, "hours", 75],
      [3 * 365 * 24 * HOUR_MS, "hours", 7],
    ] as const) {
      const trend = await ask({ machine: MILL, signal: "machineTemperature", fromMs: NOW_MS - spanMs });
      expect([trend.source, trend.series[0]?.timesMs.length]).toEqual([source, points]);
    }
    for (let spanMs = 1; spanMs < 3 * 366 * 24 * HOUR_MS; spanMs = Math.ceil(spanMs * 1.7)) {
      for (const fromMs of [0, 59_999, NOW_MS]) {
        const bucketing = bucketingOf(fromMs, fromMs + spanMs);
        const stepMs = bucketing.source === "minutes" ? 60_000 : HOUR_MS;
        const steps = Array.from({ length: Math.ceil(spanMs / stepMs) + 1 }, (_, step) => ({
          timeMs: Math.floor(fromMs / stepMs + step) * stepMs,
          count: 1,
          minimum: -step,
          maximum: step,
          sum: 1,
        })).filter(({ timeMs }) => timeMs >= bucketing.firstMs && timeMs < fromMs + spanMs);
        const points = bucketed(bucketing, steps, []);
        expect(points.timesMs.length).toBeLessThanOrEqual(TREND_POINTS_MAX);
        expect(points.counts.reduce((sum, each) => sum + each, 0)).toBe(steps.length);
      }
    }
  });
});
