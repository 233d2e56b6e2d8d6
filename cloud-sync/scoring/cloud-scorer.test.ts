import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import {
  blocksOf,
  jsonOf,
  PRESS_EPOCH,
  PRESS_START_MS,
  pressStream,
  rareEvent,
  store,
} from "../../test/support/press-telemetry.ts";
import {
  MODELS_FOLDER,
  type Office,
  openedOffice,
  scoresIn,
  scoreUntil,
  startScorer,
} from "../../test/support/running-scorer.ts";
import { ShakyStore } from "../../test/support/shaky-store.ts";
import { tempFolder } from "../../test/support/temp-folder.ts";
import { until } from "../../test/support/until.ts";
import type { StoredEvent } from "../contract/event.ts";
import type { NewDocument } from "../store/event-store.ts";

const PRESS = "redmond/press-01";
const MAINTENANCE = `score:press-maintenance@1.0.0/${PRESS_EPOCH}`;
const SPIKES = `score:spike-dip#machineTemperature@1.0.0/${PRESS_EPOCH}`;

/** A quarter of an hour: two spikes, a harness that loosens, readings far outside. */
const quarter = pressStream(PRESS, 900, {
  alter: (i, reading) => {
    if (i === 200 || i === 500) reading.temperature *= 1.8;
    if (i >= 400 && i < 460) Object.assign(reading, { pressure: 7462, temperature: 58 });
    if (i === 700) reading.pressure *= 0.6;
  },
});

const ofEpoch = (events: readonly StoredEvent[], epoch: string): StoredEvent[] =>
  events.filter((event) => event.epoch === epoch);
const seqsOf = (events: readonly StoredEvent[]): number[] => events.map(({ seq }) => seq);

/** Stores all, scores all, gives what was said, as text. */
async function scoredBy(office: Office, documents: readonly NewDocument[]): Promise<string> {
  await store(office.store, documents);
  await scoreUntil(office, documents.length);
  return JSON.stringify(await scoresIn(office));
}

test("a press whose edge has no model is scored: predictions by the minute and when they change, anomalies, each of its telemetry", async () => {
  const office = await openedOffice();
  const counts = await (async () => {
    const documents = blocksOf(quarter, 60);
    await store(office.store, documents);
    return scoreUntil(office, documents.length);
  })();
  expect(counts).toMatchObject({ documents: 15, readings: 1800, lateReadings: 0, unreadable: 0 });
  const events = await scoresIn(office);
  const predictions = ofEpoch(events, MAINTENANCE);
  // The first reading, the first of each minute, and changes; not within five seconds of each other.
  const starts = predictions.filter(({ timeMs }) => timeMs % 60_000 === 0 || timeMs === PRESS_START_MS);
  expect(starts).toHaveLength(16);
  const requirementAt = (seq: number): unknown => predictions.find((one) => one.seq === seq)?.data;
  expect(requirementAt(401)).toMatchObject({ requirement: "tighten the adjustment harness", outsideTraining: false });
  expect(requirementAt(701)).toMatchObject({ outsideTraining: true, probability: null });
  const spike = ofEpoch(events, SPIKES)[0];
  const telemetry = quarter[200] as StoredEvent;
  expect(seqsOf(ofEpoch(events, SPIKES))).toEqual([201, 501]);
  expect(spike).toMatchObject({
    type: "anomaly",
    machineId: PRESS,
    timeMs: telemetry.timeMs,
    offset: telemetry.offset,
    entityId: telemetry.entityId,
    causedBy: `${PRESS_EPOCH}/${PRESS}/201`,
    data: { kind: "spike", signal: "machineTemperature", model: { name: "spike-dip", version: "1.0.0" } },
  });
  expect(spike?.data).toMatchObject({
    message: expect.stringMatching(/^machine temperature \d+\.\d °C, expected \d+\.\d–\d+\.\d °C$/),
  });
  expect(predictions.some(({ seq, entityId }) => seq % 50 === 0 && entityId === `entity-${PRESS}-${seq}`)).toBe(
    predictions.some(({ seq }) => seq % 50 === 0),
  );
  expect(new Set(events.map(({ epoch, seq }) => `${epoch} ${seq}`)).size).toBe(events.length);
});

test("the same log gives the same scores byte for byte, however it was cut, and as JSON too", async () => {
  const first = await scoredBy(await openedOffice(), blocksOf(quarter, 60));
  expect(JSON.parse(first).length).toBeGreaterThan(20);
  expect(await scoredBy(await openedOffice(), blocksOf(quarter, 25))).toBe(first);
  expect(await scoredBy(await openedOffice(), jsonOf(quarter.slice(0, 450)).concat(jsonOf(quarter.slice(450))))).toBe(
    first,
  );
});

test("a restart at any place neither forgets nor repeats", async () => {
  const documents = blocksOf(quarter, 30);
  const whole = await scoredBy(await openedOffice(), documents);
  const office = await openedOffice();
  for (let from = 0; from < documents.length; from += 7) {
    const part = documents.slice(from, from + 7);
    await store(office.store, part);
    await scoreUntil(office, part.length);
  }
  expect(JSON.stringify(await scoresIn(office))).toBe(whole);
});

test("what was written before a crash is written once: without its checkpoint all is scored again and nothing changes", async () => {
  const office = await openedOffice();
  const whole = await scoredBy(office, blocksOf(quarter, 30));
  await office.database.query("DELETE FROM model.checkpoint");
  await office.database.query("DELETE FROM app.scoring_stream");
  const counts = await scoreUntil(office, 30);
  expect(counts.scored).toBe(0);
  expect(JSON.stringify(await scoresIn(office))).toBe(whole);
});

test("with the states of a checkpoint, documents that come again are not scored again", async () => {
  const office = await openedOffice();
  const whole = await scoredBy(office, blocksOf(quarter, 30));
  await office.database.query("DELETE FROM model.checkpoint");
  expect(await scoreUntil(office, 30)).toMatchObject({ readings: 0, scored: 0 });
  expect(JSON.stringify(await scoresIn(office))).toBe(whole);
});

test("a store that fails now and then changes nothing", async () => {
  const documents = blocksOf(quarter, 20);
  const whole = await scoredBy(await openedOffice(), documents);
  const office = await openedOffice();
  const shaky = new ShakyStore(office.store, { seed: 5, share: 0.2 });
  for (let from = 0; from < documents.length; from += 9) {
    const part = documents.slice(from, from + 9);
    await store(office.store, part);
    await scoreUntil({ ...office, store: shaky }, part.length);
  }
  expect(shaky.failures).toBeGreaterThan(0);
  expect(JSON.stringify(await scoresIn(office))).toBe(whole);
});

test("what comes late is scored with what is known then, and changes nothing that is in its turn", async () => {
  const blocks = blocksOf(quarter, 60);
  const order = [...blocks.slice(0, 2), ...blocks.slice(5), ...blocks.slice(2, 5)];
  const inTurn = await openedOffice();
  const punctual = await scoredBy(inTurn, [...blocks.slice(0, 2), ...blocks.slice(5)]);
  const office = await openedOffice();
  await store(office.store, order);
  const counts = await scoreUntil(office, order.length);
  expect(counts.lateReadings).toBe(360);
  const events = await scoresIn(office);
  const isLate = ({ seq }: StoredEvent): boolean => seq > 120 && seq <= 300;
  expect(JSON.stringify(events.filter((event) => !isLate(event)))).toBe(punctual);
  expect(seqsOf(ofEpoch(events.filter(isLate), SPIKES))).toEqual([201]);
  expect(ofEpoch(events.filter(isLate), MAINTENANCE).length).toBeGreaterThanOrEqual(3);
  const again = await openedOffice();
  expect(await scoredBy(again, order)).toBe(JSON.stringify(events));
});

test("where the edge scores by a model as new as ours, the cloud says nothing; by an older one, it does", async () => {
  const model = (version: string) => ({ requirement: "none", model: { name: "press-maintenance", version } });
  const parts = [quarter.slice(0, 300), quarter.slice(301, 600), quarter.slice(601)];
  const office = await openedOffice();
  await store(office.store, [
    ...blocksOf(parts[0] as StoredEvent[], 60),
    ...jsonOf([rareEvent(PRESS, 301, "prediction", model("1.0.0"))]),
    ...blocksOf(parts[1] as StoredEvent[], 60),
    ...jsonOf([rareEvent(PRESS, 601, "prediction", model("0.9.12"))]),
    ...blocksOf(parts[2] as StoredEvent[], 60),
  ]);
  await scoreUntil(office, 17);
  const events = await scoresIn(office);
  const seqs = seqsOf(ofEpoch(events, MAINTENANCE));
  expect(seqs.some((seq) => seq < 300)).toBe(true);
  expect(seqs.filter((seq) => seq > 300 && seq < 601)).toEqual([]);
  expect(seqs.some((seq) => seq > 601)).toBe(true);
  expect(seqsOf(ofEpoch(events, SPIKES))).toEqual([201, 501]);
});

test("what is no telemetry and came first makes nothing late; a part of a block that is known already is not scored again", async () => {
  const alarm = rareEvent(PRESS, 61, "alarm", { alarmId: "a", state: "normal" });
  const events = [...quarter.slice(0, 60), alarm, ...quarter.slice(61, 180)];
  const [block] = blocksOf(events.slice(30, 150), 120) as [NewDocument];
  const admitted = {
    ...block,
    fields: {
      ...block.fields,
      admitted: [
        [31, 60],
        [62, 150],
      ],
      firstSeq: 31,
    },
  };
  const office = await openedOffice();
  await store(office.store, [...jsonOf([alarm]), ...blocksOf(events.slice(0, 30), 30), admitted]);
  expect(await scoreUntil(office, 3)).toMatchObject({ lateReadings: 0, readings: 298 });
  const repeated = { ...block, id: "events-again" };
  await store(office.store, [repeated, ...blocksOf(events.slice(150), 30)]);
  expect(await scoreUntil(office, 2)).toMatchObject({ lateReadings: 0, readings: 60 });
});

test("a device of another make is told of at each event", async () => {
  const office = await openedOffice();
  const foreign = pressStream("lab/press", 40, { epoch: "iothub:0f3a/2" });
  await store(
    office.store,
    foreign.flatMap((event) => jsonOf([event])),
  );
  await scoreUntil(office, 40);
  const predictions = (await scoresIn(office)).filter(({ type }) => type === "prediction");
  expect(seqsOf(predictions)).toEqual(seqsOf(foreign));
});

test("of two scorers one works, and the other goes on when it ends", async () => {
  const documents = blocksOf(quarter, 60);
  const whole = await scoredBy(await openedOffice(), documents);
  const office = await openedOffice();
  const scorers = [startScorer(office), startScorer(office)];
  const done = (): number[] => scorers.map(({ counts }) => counts.documents).sort((one, other) => one - other);
  await store(office.store, documents.slice(0, 8));
  await until("one has scored", () => done()[1] === 8);
  expect(done()).toEqual([0, 8]);
  await scorers.find(({ counts }) => counts.documents === 8)?.end();
  await store(office.store, documents.slice(8));
  await until("the other has scored", () => done()[0] === 7);
  await Promise.all(scorers.map((scorer) => scorer.end()));
  expect(JSON.stringify(await scoresIn(office))).toBe(whole);
});

test("other machines, text in place of numbers, Bad readings and damaged documents harm nothing; states beyond memory come back", async () => {
  const office = await openedOffice();
  const others = Array.from({ length: 12 }, (_, i) => pressStream(`redmond/'"; DROP ${i} ✂`, 120, { seed: i + 2 }));
  const damaged = blocksOf(pressStream("redmond/broken", 60), 60).map((document) => ({
    ...document,
    body: (document.body ?? new Uint8Array()).map((byte, i) => (i > 60 ? byte ^ 0x55 : byte)),
  }));
  const odd = pressStream("redmond/odd", 300, { seed: 30 }).map((event, i): StoredEvent => {
    if (event.type !== "telemetry") return event;
    const samples = event.data.samples.map((sample) => {
      if (i % 7 === 3) return { ...sample, value: "n/a" };
      return i % 7 === 5 ? { ...sample, value: 1e9, statusCode: 0x808c_0000 } : sample;
    });
    return { ...event, data: { samples } };
  });
  const halves = [0, 60].flatMap((from) => others.flatMap((events) => blocksOf(events.slice(from, from + 60), 60)));
  await store(office.store, [...halves, ...damaged, ...blocksOf(odd, 100)]);
  const counts = await scoreUntil(office, halves.length + 4, { streamsMax: 3 });
  expect(counts.unreadable).toBe(1);
  const events = await scoresIn(office);
  for (const own of others) expect(events.some(({ machineId }) => machineId === own[0]?.machineId)).toBe(true);
  expect(events.filter(({ machineId, type }) => machineId === "redmond/odd" && type === "anomaly")).toEqual([]);
  const { rows } = await office.database.query<{ count: number }>(
    "SELECT count(*)::int AS count FROM app.scoring_stream",
  );
  expect(rows[0]?.count).toBe(13);
});

test("signals of other names are scored by a rule for their machine's type; hostile configurations block nothing", async () => {
  const office = await openedOffice();
  const renamed = pressStream(PRESS, 300, {
    firstSeq: 2,
    alter: (i, r) => void (i === 200 && Object.assign(r, { temperature: 99 })),
  }).map((event): StoredEvent => {
    if (event.type !== "telemetry") return event;
    const samples = event.data.samples.map((sample) => ({
      ...sample,
      signal: sample.signal.replace("machine", "oil/"),
    }));
    return { ...event, data: { samples } };
  });
  const signals = [null, 7, { name: 3 }, { name: "oil/Temperature", title: "Öl", unit: "K" }];
  const config = { kind: "machine", typeName: "press-2", connectionId: "c", signals };
  const odd = [{ kind: "machine", signals: { length: -1 } }, { kind: 5 }, { model: { name: "__proto__", version: 1 } }];
  await store(office.store, [
    ...jsonOf([rareEvent(PRESS, 1, "config", config)]),
    ...odd.flatMap((data, i) => jsonOf([rareEvent("redmond/odd", i + 1, i < 2 ? "config" : "prediction", data)])),
    ...blocksOf(renamed, 100),
  ]);
  const maintenance = { machinePressure: "oil/Pressure", machineTemperature: "oil/Temperature" };
  const rules = [{ types: ["press-2"], maintenance, anomalies: Object.values(maintenance) }];
  expect(await scoreUntil(office, 7, { rules })).toMatchObject({ unreadable: 0, readings: 600 });
  const events = await scoresIn(office);
  const spikes = events.filter(({ epoch }) => epoch.startsWith("score:spike-dip#oil%2FTemperature@1.0.0/"));
  expect(spikes).toMatchObject([{ seq: 202, data: { message: expect.stringMatching(/^öl 99\.0 K, expected /) } }]);
  expect(events.filter(({ type }) => type === "prediction").length).toBeGreaterThanOrEqual(5);
});

test("a damaged model is refused when the scorer starts", async () => {
  const office = await openedOffice();
  const folder = tempFolder();
  cpSync(join(MODELS_FOLDER, "anomaly"), join(folder, "anomaly"), { recursive: true });
  cpSync(join(MODELS_FOLDER, "maintenance", "press"), join(folder, "maintenance", "press"), { recursive: true });
  const weights = join(folder, "maintenance", "press", "1.0.0", "weights.bin");
  writeFileSync(weights, readFileSync(weights).subarray(0, 99));
  await expect(scoreUntil(office, 1, { modelsFolder: folder })).rejects.toMatchObject({ code: "MODEL_INVALID" });
});
