import * as tf from "@tensorflow/tfjs-core";
import type { Sequential } from "@tensorflow/tfjs-layers";
import { EdgeError } from "../../edge/kernel/errors.ts";
import { sha256Of } from "../artifact/artifact-files.ts";
import { seededRandom, shuffledIndexes } from "../seeded-random.ts";
import { startTensors } from "../tensors/tensor-backend.ts";
import { Classifier, scaledRows, weightBytes } from "./classifier.ts";
import type { ClassifierInput, ClassifierManifest } from "./classifier-manifest.ts";
import { type LabelledRows, splitRows } from "./labelled-rows.ts";
import { measureClassifier } from "./measure-classifier.ts";
import { denseNetwork, logitsOf, type NetworkShape, weightsOf } from "./network.ts";
import { countCells } from "./seen-cells.ts";
import { softmax } from "./softmax.ts";

/** What a kind of machine gives and what it may need; the numbers come from the training rows. */
export interface ClassifierPlan {
  readonly name: string;
  readonly version: string;
  readonly inputs: readonly (Pick<ClassifierInput, "signal" | "title" | "unit" | "cells"> & {
    /** Smallest step of the training data: what lies within half of it at the edge is still seen. */
    readonly resolution: number;
  })[];
  readonly classes: ClassifierManifest["classes"];
  readonly hidden: readonly number[];
  readonly cellRowsMin: number;
}

export interface TrainingOptions {
  readonly seed?: number;
  readonly epochs?: number;
  /** Called after each epoch. */
  readonly progress?: (epoch: { number: number; of: number; loss: number }) => void;
}

export interface Trained {
  readonly manifest: ClassifierManifest;
  readonly weights: Uint8Array;
  readonly classifier: Classifier;
}

const WEIGHTS_FILE = "weights.bin";
const SEED = 20_260_101;
const EPOCHS = 120;
const BATCH = 128;
const RATE = { first: 0.01, last: 0.0001 };

/**
 * Trains the network, calibrates it, and measures it on the rows that were held out. The same rows, seed and backend give the same
 * network.
 */
export async function trainClassifier(
  plan: ClassifierPlan,
  rows: LabelledRows,
  { seed = SEED, epochs = EPOCHS, progress }: TrainingOptions = {},
): Promise<Trained> {
  await startTensors();
  const { training, calibration, holdOut } = splitRows(rows, seed);
  const inputs = inputsOf(plan, training);
  const shape: NetworkShape = { inputs: inputs.length, hidden: plan.hidden, classes: plan.classes.length };
  const network = denseNetwork(shape, seed);
  await runEpochs(
    network,
    scaledRows(inputs, training.values),
    classIndexes(plan, training),
    shape,
    seed,
    epochs,
    progress,
  );
  const weights = weightBytes(weightsOf(network));
  const draft: ClassifierManifest = {
    format: "tailstock-classifier-1",
    name: plan.name,
    version: plan.version,
    inputs,
    classes: [...plan.classes],
    hidden: [...plan.hidden],
    temperature: temperatureOf(network, shape, scaledRows(inputs, calibration.values), classIndexes(plan, calibration)),
    cellRowsMin: plan.cellRowsMin,
    cellRows: countCells(inputs, training.values),
    weights: { name: WEIGHTS_FILE, bytes: weights.length, sha256: sha256Of(weights) },
    training: {
      data: rows.name,
      sha256: rows.sha256,
      rows: training.labels.length,
      split: "rows shuffled by the seed: 25 % held out, 10 % for calibration, the rest for training",
      seed,
      epochs,
    },
    metrics: {
      holdOut: { rows: 0, accuracy: 0, logLoss: 0, calibrationError: 0, outsideTraining: 0, confusion: [] },
    },
  };
  const metrics = { holdOut: measureClassifier(new Classifier(draft, network), holdOut) };
  const manifest = { ...draft, metrics };
  return { manifest, weights, classifier: new Classifier(manifest, network) };
}

async function runEpochs(
  network: Sequential,
  values: Float32Array,
  labels: Int32Array,
  shape: NetworkShape,
  seed: number,
  epochs: number,
  progress: TrainingOptions["progress"],
): Promise<void> {
  const optimizer = tf.train.adam(RATE.first);
  const random = seededRandom(seed + 1);
  for (let epoch = 0; epoch < epochs; epoch++) {
    // The rate falls along a cosine: large steps find the regions, small ones set their edges.
    const share = epoch / Math.max(1, epochs - 1);
    const rate = RATE.last + (RATE.first - RATE.last) * 0.5 * (1 + Math.cos(Math.PI * share));
    Object.assign(optimizer, { learningRate: rate });
    const order = shuffledIndexes(labels.length, random);
    let loss = 0;
    let batches = 0;
    for (let from = 0; from < order.length; from += BATCH) {
      loss += step(network, optimizer, values, labels, order.subarray(from, from + BATCH), shape);
      batches++;
    }
    progress?.({ number: epoch + 1, of: epochs, loss: loss / batches });
    await new Promise((resolve) => setImmediate(resolve));
  }
  optimizer.dispose();
}

function step(
  network: Sequential,
  optimizer: tf.Optimizer,
  values: Float32Array,
  labels: Int32Array,
  rows: Uint32Array,
  { inputs, classes }: NetworkShape,
): number {
  const x = new Float32Array(rows.length * inputs);
  const y = new Float32Array(rows.length * classes);
  rows.forEach((row, i) => {
    x.set(values.subarray(row * inputs, (row + 1) * inputs), i * inputs);
    y[i * classes + (labels[row] as number)] = 1;
  });
  return tf.tidy(() => {
    const [input, wanted] = [tf.tensor2d(x, [rows.length, inputs]), tf.tensor2d(y, [rows.length, classes])];
    const cost = optimizer.minimize(
      () => tf.losses.softmaxCrossEntropy(wanted, network.apply(input, { training: true }) as tf.Tensor) as tf.Scalar,
      true,
    );
    return cost?.dataSync()[0] ?? 0;
  });
}

function inputsOf({ inputs }: ClassifierPlan, { values, width }: LabelledRows): ClassifierInput[] {
  return inputs.map(({ signal, title, unit, cells, resolution }, i) => {
    const own = values.filter((_, at) => at % width === i);
    const mean = own.reduce((sum, value) => sum + value, 0) / own.length;
    const sd = Math.sqrt(own.reduce((sum, value) => sum + (value - mean) ** 2, 0) / own.length);
    const least = own.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
    const most = own.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
    const cellFrom = least - resolution / 2;
    const cellSize = (most + resolution / 2 - cellFrom) / cells;
    return { signal, title, unit, mean, sd: sd > 0 ? sd : 1, cellFrom, cellSize, cells };
  });
}

function classIndexes({ classes }: ClassifierPlan, { labels }: LabelledRows): Int32Array {
  return labels.map((label) => {
    const index = classes.findIndex((one) => one.label === label);
    if (index >= 0) return index;
    throw new EdgeError("USAGE", `the label ${label} is none of the model's classes`);
  });
}

/** The temperature with the smallest loss on the calibration rows; from 0.5 to 4. */
function temperatureOf(network: Sequential, shape: NetworkShape, rows: Float32Array, labels: Int32Array): number {
  const logits = logitsOf(network, rows, shape);
  let best = { temperature: 1, loss: Number.POSITIVE_INFINITY };
  for (let temperature = 0.5; temperature <= 4; temperature += 0.05) {
    let loss = 0;
    labels.forEach((label, i) => {
      const probabilities = softmax(logits.subarray(i * shape.classes, (i + 1) * shape.classes), temperature);
      loss -= Math.log(Math.max(1e-12, probabilities[label] as number));
    });
    if (loss < best.loss) best = { temperature: Number(temperature.toFixed(2)), loss };
  }
  return best.temperature;
}
