import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs-core";
import { expect, test } from "vitest";
import { tempFolder } from "../../test/support/temp-folder.ts";
import { startTensors } from "../tensors/tensor-backend.ts";
import { loadClassifier } from "./classifier.ts";
import type { ClassifierManifest } from "./classifier-manifest.ts";
import { CHECK_VECTORS, evaluateMaintenance } from "./evaluate.ts";
import { readLabelledRows, splitRows } from "./labelled-rows.ts";
import { PRESS_PLAN } from "./press-plan.ts";
import { trainClassifier } from "./train-classifier.ts";

const PRESS = join(import.meta.dirname, "press", "1.0.0");
const SAMPLE = join(import.meta.dirname, "..", "..", "test", "golden", "maintenance", "press-hold-out-400.csv");
const press = loadClassifier(PRESS);

test("the check vectors of the lab's contract", async () => {
  const rows = Float64Array.from(CHECK_VECTORS.flatMap(({ pressure, temperature }) => [pressure, temperature]));
  expect((await press).classify(rows).map(({ label }) => label)).toEqual([1, 0, 3]);
});

test("accuracy and calibration on rows held out are those of the manifest", async () => {
  const classifier = await press;
  const { accuracy, calibrationError, rows } = classifier.manifest.metrics.holdOut;
  expect(rows).toBe(6250);
  expect(accuracy).toBeGreaterThanOrEqual(0.965);
  expect(calibrationError).toBeLessThan(0.02);
  const { metrics, checks } = evaluateMaintenance(classifier, SAMPLE);
  expect(metrics.rows).toBe(400);
  // Three standard errors of a share of 400.
  expect(Math.abs(metrics.accuracy - accuracy)).toBeLessThan(3 * Math.sqrt((accuracy * (1 - accuracy)) / 400));
  expect(metrics.outsideTraining).toBe(0);
  expect(checks.every(({ wanted, got }) => wanted === got)).toBe(true);
});

test.each([
  [4520, 55, true],
  [13570, 55, true],
  [7539, 33, true],
  [7539, 99, true],
  [7539, 55, false],
  [7450, 40, false],
  [7650, 80, false],
  [7651, 80, true],
])("%d psi and %d °C lie outside training: %s", async (pressure, temperature, isOutside) => {
  const [prediction] = (await press).score(Float64Array.of(pressure, temperature));
  expect(prediction?.outsideTraining).toBe(isOutside);
  expect(prediction?.probability === null).toBe(isOutside);
  expect(prediction?.message.includes("outside what the model was trained on")).toBe(isOutside);
});

test("a prediction says how sure it is, what drove it, and in words what is to be done", async () => {
  const [tighten, none] = (await press).score(Float64Array.of(7460, 58, 7540, 55));
  expect(tighten).toMatchObject({
    requirement: "tighten the adjustment harness",
    remainingHours: null,
    model: { name: "press-maintenance", version: "1.0.0" },
  });
  expect(tighten?.probability).toBeGreaterThan(0.9);
  expect(tighten?.signals.map(({ signal, value }) => [signal, value])).toEqual([
    ["machinePressure", 7460],
    ["machineTemperature", 58],
  ]);
  expect(tighten?.message).toMatch(
    /^pressure 7460 psi, machine temperature 58 °C: tighten the adjustment harness \(9\d %\)$/,
  );
  expect(none?.requirement).toBe("none");
});

test("what a row gets depends on the row alone, however rows are batched", async () => {
  const classifier = await press;
  const { values } = readLabelledRows(SAMPLE, 2);
  const together = classifier.score(values);
  const alone = together.map((_, row) => classifier.score(values.slice(2 * row, 2 * row + 2))[0]);
  expect(JSON.stringify(alone)).toBe(JSON.stringify(together));
  expect(classifier.score(new Float64Array(0))).toEqual([]);
});

test("wasm and pure JavaScript give the same answers within 1e-4", async () => {
  const classifier = await press;
  const { values } = readLabelledRows(SAMPLE, 2);
  const ofRows = (): Float64Array[] => classifier.classify(values).map(({ probabilities }) => probabilities);
  expect(tf.getBackend()).toBe((await startTensors()) === "node" ? "tensorflow" : "wasm");
  const before = ofRows();
  await import("@tensorflow/tfjs-backend-cpu");
  const first = tf.getBackend();
  await tf.setBackend("cpu");
  const after = ofRows();
  await tf.setBackend(first);
  const far = before.map((row, i) => Math.max(...row.map((share, j) => Math.abs(share - (after[i]?.[j] ?? 9)))));
  expect(Math.max(...far)).toBeLessThan(1e-4);
});

test("a value that is no number is refused, not guessed", async () => {
  const classifier = await press;
  for (const bad of [Number.NaN, Number.POSITIVE_INFINITY])
    expect(() => classifier.score(Float64Array.of(7540, 55, bad, 55))).toThrow("row 1");
  expect(() => classifier.score(Float64Array.of(7540, 55, 7540))).toThrow(RangeError);
});

test.each<[string, (folder: string) => void, string]>([
  ["an altered weight", (f) => edit(f, (bytes) => bytes.set([(bytes[5] ?? 0) ^ 1], 5)), "was altered"],
  ["a truncated file", (f) => writeFileSync(weights(f), readFileSync(weights(f)).subarray(0, 100)), "has 100 bytes"],
  ["no manifest", (f) => writeFileSync(join(f, "manifest.json"), "{"), "can't be read"],
  ["another format", (f) => reword(f, { format: "tailstock-classifier-9" }), "no manifest that this version knows"],
  [
    "a path that leads out",
    (f) => reword(f, { weights: { name: "../../x", bytes: 1, sha256: "0".repeat(64) } }),
    "plain",
  ],
  ["other layers", (f) => reword(f, { hidden: [24, 25] }), "the network takes"],
  ["a grid of another size", (f) => reword(f, { cellRows: [1, 2] }), "counts 2 cells"],
])("a model with %s is refused", async (_, damage, message) => {
  const folder = tempFolder();
  cpSync(PRESS, folder, { recursive: true });
  damage(folder);
  await expect(loadClassifier(folder)).rejects.toMatchObject({
    code: "MODEL_INVALID",
    message: expect.stringContaining(message),
  });
});

test("weights that are no numbers are refused, also under true hashes", async () => {
  const { weightBytes } = await import("./classifier.ts");
  const { sha256Of } = await import("../artifact/artifact-files.ts");
  const folder = tempFolder();
  cpSync(PRESS, folder, { recursive: true });
  const bytes = weightBytes(Float32Array.from({ length: 822 }, (_, i) => (i === 700 ? Number.NaN : 0.1)));
  writeFileSync(weights(folder), bytes);
  reword(folder, { weights: { name: "weights.bin", bytes: bytes.length, sha256: sha256Of(bytes) } });
  await expect(loadClassifier(folder)).rejects.toMatchObject({ message: expect.stringContaining("is no number") });
});

test("training gives the same network for the same seed", async () => {
  const rows = readLabelledRows(SAMPLE, 2);
  const { training, calibration, holdOut } = splitRows(rows, 7);
  expect([training, calibration, holdOut].map(({ labels }) => labels.length)).toEqual([260, 40, 100]);
  const epochs: number[] = [];
  const first = await trainClassifier(PRESS_PLAN, rows, {
    seed: 7,
    epochs: 3,
    progress: ({ number }) => epochs.push(number),
  });
  const second = await trainClassifier(PRESS_PLAN, rows, { seed: 7, epochs: 3 });
  const other = await trainClassifier(PRESS_PLAN, rows, { seed: 8, epochs: 3 });
  expect(epochs).toEqual([1, 2, 3]);
  expect(second.manifest).toEqual(first.manifest);
  expect(other.manifest.weights.sha256).not.toBe(first.manifest.weights.sha256);
});

function weights(folder: string): string {
  return join(folder, "weights.bin");
}

function edit(folder: string, change: (bytes: Uint8Array) => void): void {
  const bytes = readFileSync(weights(folder));
  change(bytes);
  writeFileSync(weights(folder), bytes);
}

function reword(folder: string, change: object): void {
  const path = join(folder, "manifest.json");
  const manifest = JSON.parse(readFileSync(path, "utf8")) as ClassifierManifest;
  writeFileSync(path, JSON.stringify({ ...manifest, ...change }));
}
