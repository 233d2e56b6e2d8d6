import { pino } from "pino";
import { expect, test } from "vitest";
import { systemClock } from "../../edge/kernel/clock.ts";
import { blocksOf, PRESS_EPOCH, pressStream, store } from "../../test/support/press-telemetry.ts";
import { openedOffice, scoresIn, scoreUntil } from "../../test/support/running-scorer.ts";
import { until } from "../../test/support/until.ts";
import { ProjectionRunner } from "../projections/runner.ts";

const PRESS = "redmond/press-01";

test("the read models show what the cloud's models said, each thing once, under the telemetry's entity", async () => {
  const office = await openedOffice();
  const { database } = office;
  const alter = (i: number, reading: { pressure: number; temperature: number }): void => {
    // Both signals at once: two anomalies of one event.
    if (i === 299) Object.assign(reading, { pressure: 13_570, temperature: 99 });
    if (i >= 400) Object.assign(reading, { pressure: 7460, temperature: 60 });
  };
  const documents = blocksOf(pressStream(PRESS, 600, { alter }), 100);
  await store(office.store, documents);
  await scoreUntil(office, documents.length);
  const said = await scoresIn(office);
  const ofType = (type: string): number => said.filter((event) => event.type === type).length;
  const runner = new ProjectionRunner({
    store: office.store,
    database,
    projections: ["anomaly", "prediction", "entity_event"],
    clock: systemClock,
    logger: pino({ level: "silent" }),
  });
  const ending = new AbortController();
  const running = runner.run(ending.signal, () => undefined);
  const wanted = documents.length + said.length;
  await until("all is projected", () => [...runner.progress().values()].every((count) => count >= wanted));
  ending.abort();
  await running;

  const { rows: anomalies } = await database.query(
    "SELECT signal, kind, entity_id, model, model_version, scored_by FROM model.anomaly WHERE event_at = (SELECT min(event_at) FROM model.anomaly) ORDER BY signal",
  );
  const entity = { entity_id: `entity-${PRESS}-300`, model: "spike-dip", model_version: "1.0.0", scored_by: "cloud" };
  expect(anomalies).toEqual([
    { signal: "machinePressure", kind: "spike", ...entity },
    { signal: "machineTemperature", kind: "spike", ...entity },
  ]);
  const count = async (table: string): Promise<unknown> =>
    (await database.query<{ count: number }>(`SELECT count(*)::int AS count FROM ${table}`)).rows[0]?.count;
  expect(await count("model.anomaly")).toBe(ofType("anomaly"));
  expect(await count("model.prediction")).toBe(ofType("prediction"));
  const { rows: windows } = await database.query<{ requirement: string; predictions: number }>(
    "SELECT requirement, sum(predictions)::int AS predictions FROM model.maintenance_aggregate WHERE window_hours = 24 GROUP BY 1 ORDER BY 1",
  );
  expect(windows.map(({ requirement }) => requirement)).toContain("tighten the adjustment harness");
  expect(windows.reduce((sum, { predictions }) => sum + predictions, 0)).toBe(ofType("prediction"));
  const { rows: causes } = await database.query<{ caused_by: string }>(
    "SELECT DISTINCT caused_by FROM model.entity_event WHERE event_type = 'Spike Anomaly' ORDER BY 1 LIMIT 1",
  );
  expect(causes).toEqual([{ caused_by: `${PRESS_EPOCH}/${PRESS}/300` }]);
});
