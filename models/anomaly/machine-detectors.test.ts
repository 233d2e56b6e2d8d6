import { join } from "node:path";
import { expect, test } from "vitest";
import { StatusCode } from "../../edge/kernel/status-code.ts";
import { seededRandom } from "../seeded-random.ts";
import { anomalyDataOf, labelOf } from "./anomaly-data.ts";
import { loadDetectorModels } from "./detector-manifest.ts";
import { type Finding, MachineDetectors } from "./machine-detectors.ts";
import { lnUpperTail } from "./normal-tail.ts";

const models = loadDetectorModels(import.meta.dirname, { spikeDip: "1.0.0", changepoint: "1.0.0" });
const TEMPERATURE = "machineTemperature";

function normalNumbers(seed: number): () => number {
  const random = seededRandom(seed);
  return () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

/** Findings of one signal's values at 1 Hz, each with the index of its reading. */
function run(values: Iterable<number>, detectors = new MachineDetectors(models), signal = TEMPERATURE, fromMs = 0) {
  const slot = detectors.slotOf(signal) ?? -1;
  const found: (Finding & { at: number })[] = [];
  let at = 0;
  for (const value of values) {
    for (const finding of detectors.observe(slot, signal, fromMs + at * 1000, value, 0)) found.push({ ...finding, at });
    at++;
  }
  return found;
}

function noise(count: number, seed: number, mean = 55, sd = 2.4): number[] {
  const normal = normalNumbers(seed);
  return Array.from({ length: count }, () => mean + sd * normal());
}

test("the lab's press: recall of disturbances at least 0.95, no false alarm", () => {
  const signals = [
    { name: TEMPERATURE, mean: 55, sd: 2.4 },
    { name: "machinePressure", mean: 7539, sd: 14 },
    { name: "electricityUtilization", mean: 29.36, sd: 1.1 },
  ];
  for (const { name, mean, sd } of signals) {
    const random = seededRandom(4);
    const factors = Array.from({ length: 10_000 }, () => random()).map((u) => (u < 0.03 ? 0.6 : u < 0.06 ? 1.8 : 1));
    const values = noise(10_000, 5, mean, sd).map((value, i) => value * (factors[i] ?? 1));
    const found = run(values, new MachineDetectors(models), name);
    const wanted = factors.flatMap((factor, i) =>
      factor === 1 || i < 48 ? [] : [{ i, kind: factor < 1 ? "dip" : "spike" }],
    );
    const hits = wanted.filter(({ i, kind }) => found.some((one) => one.at === i && one.kind === kind));
    expect(hits.length / wanted.length, name).toBeGreaterThan(0.95);
    expect(
      found.filter(({ at }) => factors[at] === 1),
      name,
    ).toEqual([]);
  }
});

test("noise alone raises nothing", () => {
  expect(run(noise(200_000, 6))).toEqual([]);
});

test("one disturbance is one anomaly; the next is one more", () => {
  const values = noise(400, 7);
  for (const at of [200, 201, 202, 300]) values[at] = 99 + at / 1000;
  expect(run(values).map(({ kind, at }) => [kind, at])).toEqual([
    ["spike", 200],
    ["spike", 300],
  ]);
});

test("a step is told at once, is a change of level soon, and then is normal", () => {
  const found = run([...noise(1000, 8), ...noise(1000, 9, 75)]);
  expect(found.map(({ kind }) => kind)).toEqual(["spike", "changepoint"]);
  const [spike, change] = found;
  expect(spike?.at).toBe(1000);
  expect(change?.at).toBeLessThan(1100);
  expect(change?.value).toBeGreaterThan(70);
  expect(change?.before).toBeCloseTo(55, 0);
});

test("people get a sentence", () => {
  const values = noise(300, 10);
  values[250] = 98.9;
  const data = anomalyDataOf(run(values)[0] as Finding, { title: "Machine temperature", unit: "°C" }, models);
  expect(data).toMatchObject({ kind: "spike", signal: TEMPERATURE, value: 98.9, threshold: 10 });
  expect(data.model).toEqual({ name: "spike-dip", version: "1.0.0" });
  expect(data.message).toMatch(/^machine temperature 98\.9 °C, expected (?:49|50|51)\.\d–(?:58|59|60)\.\d °C$/);
  expect(labelOf(TEMPERATURE)).toEqual({ title: "machine temperature", unit: "" });
});

test("constant signals, resolution steps, ramps and what is no reading raise nothing", () => {
  expect(run(new Array<number>(5000).fill(20))).toEqual([]);
  expect(run(new Array<number>(5000).fill(0))).toEqual([]);
  expect(run(Array.from({ length: 5000 }, (_, i) => (i % 97 === 0 ? 21 : 20)))).toEqual([]);
  expect(run(Array.from({ length: 5000 }, (_, i) => 20 + i * 0.01))).toEqual([]);
  const detectors = new MachineDetectors(models);
  const slot = detectors.slotOf("x") ?? -1;
  run(noise(500, 11), detectors, "x");
  const seen = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY].flatMap((value) => [
    ...detectors.observe(slot, "x", 600_000, value, 0),
    ...detectors.observe(slot, "x", 600_000, 1e9, StatusCode.BadSensorFailure),
  ]);
  expect(seen).toEqual([]);
  expect(detectors.observe(slot, "x", 600_000, 1e9, StatusCode.Uncertain)).toHaveLength(1);
});

test("large numbers that move in small steps raise nothing", () => {
  expect(run(Array.from({ length: 3000 }, (_, i) => 1.7e12 + i * 1000 + (i % 3)))).toEqual([]);
  expect(run(noise(3000, 21, 123_456_789, 0.5))).toEqual([]);
});

test("a constant signal that leaps is told once", () => {
  const values = new Array<number>(500).fill(20);
  values[300] = 36;
  expect(run(values).map(({ kind, at }) => [kind, at])).toEqual([["spike", 300]]);
});

test("after a long silence the first readings are taken up unjudged", () => {
  const detectors = new MachineDetectors(models);
  run(noise(500, 12), detectors);
  expect(
    run(noise(100, 13, 80), detectors, TEMPERATURE, 3_600_000).filter(({ kind }) => kind !== "changepoint"),
  ).toEqual([]);
  const other = new MachineDetectors(models);
  run(noise(500, 12), other);
  expect(run(noise(100, 13, 80), other, TEMPERATURE, 501_000)).not.toEqual([]);
});

test("a signal that behaves otherwise than it used to is learned anew, not told for ever", () => {
  const normal = normalNumbers(14);
  const wild = Array.from({ length: 5000 }, (_, i) => 55 + (i % 2 === 0 ? 40 : -40) + normal());
  const found = run([...noise(500, 15), ...wild]);
  expect(found.length).toBeGreaterThan(2);
  expect(found.length).toBeLessThan(40);
});

test("a state saved and restored at any reading goes on as if nothing had been; another version's is not taken up", () => {
  const values = noise(1500, 16).map((value, i) => (i % 83 === 0 ? value * 1.8 : i > 1000 ? value + 15 : value));
  const whole = run(values);
  expect(whole.length).toBeGreaterThan(10);
  for (const cut of [1, 30, 48, 200, 777, 1003, 1020]) {
    const before = new MachineDetectors(models);
    const first = run(values.slice(0, cut), before);
    const after = new MachineDetectors(models);
    expect(after.restore(before.save())).toBe(true);
    const second = run(values.slice(cut), after, TEMPERATURE, cut * 1000).map((one) => ({ ...one, at: one.at + cut }));
    expect([...first, ...second]).toEqual(whole);
    expect(Buffer.from(after.save()).equals(Buffer.from(after.save()))).toBe(true);
  }
  const state = new MachineDetectors(models).save();
  const newer = { ...models, spikeDip: { ...models.spikeDip, version: "1.0.1" } };
  expect(new MachineDetectors(newer).restore(state)).toBe(false);
});

test("a damaged state is not taken up, and harms nothing", () => {
  const detectors = new MachineDetectors(models);
  run(noise(300, 17), detectors);
  const state = detectors.save();
  for (const bytes of [
    state.subarray(0, 5),
    state.subarray(0, 40),
    state.subarray(0, state.length - 3),
    new Uint8Array(64),
  ]) {
    const fresh = new MachineDetectors(models);
    expect(fresh.restore(bytes)).toBe(false);
    expect(run(noise(300, 17), fresh)).toEqual([]);
  }
});

test("signals do not touch each other", () => {
  const one = noise(600, 18).map((value, i) => (i === 500 ? 99 : value));
  const detectors = new MachineDetectors(models);
  const names = Array.from({ length: 9 }, (_, i) => `signal ${i}`);
  const found: string[] = [];
  one.forEach((value, i) => {
    names.forEach((name, n) => {
      const slot = detectors.slotOf(name) ?? -1;
      const own = n === 4 ? value : 1000 * n + Math.sin(i + n);
      for (const { kind } of detectors.observe(slot, name, i * 1000, own, 0)) found.push(`${name} ${kind} ${i}`);
    });
  });
  expect(found).toEqual(["signal 4 spike 500"]);
});

test("a manifest of another form is refused", () => {
  const wrong = (): unknown =>
    loadDetectorModels(join(import.meta.dirname, ".."), { spikeDip: "1.0.0", changepoint: "1.0.0" });
  expect(wrong).toThrow(expect.objectContaining({ code: "MODEL_INVALID" }));
});

test.each([
  [1, 0.158655],
  [3, 0.0013499],
  [6, 9.8659e-10],
])("the upper tail at %d", (z, probability) => {
  expect(Math.exp(lnUpperTail(z)) / probability).toBeGreaterThan(0.99);
  expect(Math.exp(lnUpperTail(z)) / probability).toBeLessThan(1.06);
});
