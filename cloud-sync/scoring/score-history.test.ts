import { expect, test } from "vitest";
import { systemClock } from "../../edge/kernel/clock.ts";
import { noSignal } from "../../test/support/lake.ts";
import { followOnce, lakeBench } from "../../test/support/lake-bench.ts";
import {
  blocksOf,
  jsonOf,
  PRESS_EPOCH,
  PRESS_START_MS,
  pressStream,
  rareEvent,
  store,
} from "../../test/support/press-telemetry.ts";
import { MODELS_FOLDER, scoresIn, scoreUntil } from "../../test/support/running-scorer.ts";
import { tempFolder } from "../../test/support/temp-folder.ts";
import type { StoredEvent } from "../contract/event.ts";
import { lakeRuns } from "./lake-runs.ts";
import { scoreHistory } from "./score-history.ts";
import { loadScoringModels } from "./scoring-models.ts";

const DAY_MS = 86_400_000;
const PRESS = "redmond/press-01";
const OTHER = "redmond/press-02";
const models = await loadScoringModels(MODELS_FOLDER);
const hour = pressStream(PRESS, 1200, {
  alter: (i, r) => void (i % 250 === 249 && Object.assign(r, { temperature: 99 })),
});
const others = pressStream(OTHER, 300, { seed: 9 });
const withoutPlace = (events: readonly StoredEvent[]) =>
  events.map(({ offset: _, entityId: __, ...event }) => event).filter(({ machineId }) => machineId === PRESS);

test("the lake's history is scored as live scoring would; again, and after live scoring, it changes nothing", async () => {
  await using own = await lakeBench(tempFolder());
  await store(own.store, [...blocksOf(hour, 100), ...blocksOf(others, 100)]);
  await followOnce(own);
  const wish = {
    lake: { folder: own.folder },
    store: own.store,
    database: own.database,
    models,
    fromMs: PRESS_START_MS - DAY_MS,
    toMs: PRESS_START_MS + DAY_MS,
    clock: systemClock,
    signal: noSignal,
  };
  const first = await scoreHistory(wish);
  expect(first).toMatchObject({ readings: 3000, said: first.written });
  expect(first.written).toBeGreaterThan(25);
  const events = await scoresIn(own);
  expect(events.filter(({ type }) => type === "anomaly").map(({ seq }) => seq)).toEqual([250, 500, 750, 1000]);
  expect(await scoreHistory(wish)).toEqual({ ...first, written: 0 });
  expect(await scoreUntil(own, 15)).toMatchObject({ readings: 3000, scored: 0 });
  expect(await scoresIn(own)).toEqual(events);

  await using live = await lakeBench(tempFolder());
  await store(live.store, [...blocksOf(hour, 100), ...blocksOf(others, 100)]);
  await scoreUntil(live, 15);
  expect(withoutPlace(await scoresIn(live))).toEqual(withoutPlace(events));
});

test("what the edge scores by itself is left to it; a part of the lake may be asked for", async () => {
  await using own = await lakeBench(tempFolder());
  const said = rareEvent(PRESS, 1201, "prediction", { model: { name: "press-maintenance", version: "1.0.0" } });
  await store(own.store, [...blocksOf(hour, 600), ...jsonOf([said]), ...blocksOf(others, 300)]);
  await followOnce(own);
  await scoreUntil(own, 4);
  await own.database.query("TRUNCATE store.scored_telemetry");
  const counts = await scoreHistory({
    lake: { folder: own.folder },
    store: own.store,
    database: own.database,
    models,
    machine: PRESS,
    fromMs: PRESS_START_MS,
    toMs: PRESS_START_MS + 600_000,
    clock: systemClock,
    signal: noSignal,
  });
  expect(counts.readings).toBe(1200);
  const events = await scoresIn(own);
  expect(new Set(events.map(({ type, machineId }) => `${type} ${machineId}`))).toEqual(new Set([`anomaly ${PRESS}`]));
});

test("an event that two chunks cut is one event", async () => {
  const chunk = (seqs: number[], signalIndex: number[], machineId = PRESS) => ({
    factoryId: "redmond",
    machineId,
    rows: seqs.length,
    signals: ["machinePressure", "machineTemperature"],
    signalIndex: Uint32Array.from(signalIndex),
    epochs: [PRESS_EPOCH],
    epochIndex: new Uint32Array(seqs.length),
    seqs: Float64Array.from(seqs),
    timeMs: Float64Array.from(seqs, (seq) => seq * 1000),
    sourceMs: new Float64Array(seqs.length),
    values: Float64Array.from(seqs),
    statusCodes: new Uint32Array(seqs.length),
  });
  async function* chunks() {
    yield chunk([1, 1, 2], [0, 1, 0]);
    yield chunk([2, 3], [1, 0]);
    yield chunk([1], [0], OTHER);
  }
  const runs: string[] = [];
  for await (const { run } of lakeRuns(chunks())) {
    const seqs = run.signals.map(
      ({ signal, event }) => `${signal} ${Array.from(event, (one) => run.seq(one)).join("+")}`,
    );
    runs.push(`${run.machineId}: ${seqs.join(", ")}`);
  }
  expect(runs).toEqual([
    `${PRESS}: machinePressure 1, machineTemperature 1`,
    `${PRESS}: machinePressure 2, machineTemperature 2`,
    `${PRESS}: machinePressure 3`,
    `${OTHER}: machinePressure 1`,
  ]);
});
