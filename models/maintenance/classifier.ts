import type { Sequential } from "@tensorflow/tfjs-layers";
import type { ModelName, PredictionData } from "../../cloud-sync/contract/insight.ts";
import { modelInvalid, readManifest, readVerified } from "../artifact/artifact-files.ts";
import { startTensors } from "../tensors/tensor-backend.ts";
import { type ClassifierInput, ClassifierManifest } from "./classifier-manifest.ts";
import { denseNetwork, logitsOf, type NetworkShape, parametersOf, setWeights } from "./network.ts";
import { cellOf } from "./seen-cells.ts";
import { largestAt, softmax } from "./softmax.ts";

/** Rows that go through the network at once. */
const BATCH_ROWS_MAX = 4096;
const PROBABILITY_DIGITS = 4;

/** What the network says of one row. */
export interface Classification {
  readonly label: number;
  readonly requirement: string;
  /** Calibrated, in the order of the classes; where the input is outside training they are not to be believed. */
  readonly probabilities: Float64Array;
  readonly outsideTraining: boolean;
}

/** A trained network that says which maintenance a machine needs, from one reading of each of its inputs. */
export class Classifier {
  readonly model: ModelName;
  readonly inputs: readonly ClassifierInput[];
  readonly classes: ClassifierManifest["classes"];
  readonly manifest: ClassifierManifest;
  readonly #network: Sequential;
  readonly #shape: NetworkShape;

  constructor(manifest: ClassifierManifest, network: Sequential) {
    this.manifest = manifest;
    this.model = { name: manifest.name, version: manifest.version };
    this.inputs = manifest.inputs;
    this.classes = manifest.classes;
    this.#network = network;
    this.#shape = shapeOf(manifest);
  }

  /** @param values rows one behind the other, a finite number for each input @throws RangeError when they are not */
  classify(values: Float64Array): Classification[] {
    const width = this.inputs.length;
    const found: Classification[] = [];
    for (let at = 0; at < values.length; at += BATCH_ROWS_MAX * width)
      found.push(...this.#classifyBatch(values.subarray(at, at + BATCH_ROWS_MAX * width)));
    return found;
  }

  #classifyBatch(values: Float64Array): Classification[] {
    const width = this.inputs.length;
    const { classes } = this.#shape;
    const logits = logitsOf(this.#network, scaledRows(this.inputs, values), this.#shape);
    return Array.from({ length: values.length / width }, (_, row) => {
      const probabilities = softmax(logits.subarray(row * classes, (row + 1) * classes), this.manifest.temperature);
      const { label, requirement } = this.classes[largestAt(probabilities)] as ClassifierManifest["classes"][number];
      return { label, requirement, probabilities, outsideTraining: this.isOutside(values, row * width) };
    });
  }

  /** Whether the network saw too few training rows, or none, around this row. */
  isOutside(values: ArrayLike<number>, at = 0): boolean {
    const cell = cellOf(this.inputs, values, at);
    return cell === undefined || (this.manifest.cellRows[cell] ?? 0) < this.manifest.cellRowsMin;
  }

  /** As classify, as data of prediction events. Depends on the rows and the weights alone, not on how rows are batched. */
  score(values: Float64Array): PredictionData[] {
    const width = this.inputs.length;
    const found = this.classify(values);
    const without = this.inputs.map((_, i) => this.classify(replaced(values, width, i, this.inputs)));
    return found.map((classification, row) => {
      const { requirement, outsideTraining, probabilities } = classification;
      const largest = largestAt(probabilities);
      const sure = probabilities[largest] as number;
      const losses = without.map((other) => Math.abs(sure - (other[row]?.probabilities[largest] as number)));
      const readings = this.inputs.map(({ signal }, i) => ({ signal, value: values[row * width + i] as number }));
      return {
        requirement,
        probability: outsideTraining ? null : rounded(sure),
        remainingHours: null,
        outsideTraining,
        signals: weighted(readings, losses),
        message: messageOf(this.inputs, readings, requirement, sure, outsideTraining),
        model: this.model,
      };
    });
  }
}

/**
 * Reads a classifier from its folder, <name>/<version>/, and proves it: hashes, the number of weights, that each is a number.
 * @throws EdgeError MODEL_INVALID
 */
export async function loadClassifier(folder: string): Promise<Classifier> {
  const manifest = readManifest(folder, ClassifierManifest);
  const shape = shapeOf(manifest);
  const bytes = readVerified(folder, manifest.weights);
  const wanted = parametersOf(shape);
  if (bytes.length !== wanted * 4)
    throw modelInvalid(`the weights in ${folder} have ${bytes.length} bytes; the network takes ${wanted * 4}`);
  const cells = manifest.inputs.reduce((product, input) => product * input.cells, 1);
  if (manifest.cellRows.length !== cells)
    throw modelInvalid(`the manifest in ${folder} counts ${manifest.cellRows.length} cells in place of ${cells}`);
  const weights = weightsFrom(bytes);
  if (!weights.every(Number.isFinite)) throw modelInvalid(`a weight in ${folder} is no number`);
  await startTensors();
  const network = denseNetwork(shape);
  setWeights(network, weights);
  return new Classifier(manifest, network);
}

/** Little-endian 32-bit floats. */
function weightsFrom(bytes: Uint8Array): Float32Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Float32Array.from({ length: bytes.length / 4 }, (_, i) => view.getFloat32(i * 4, true));
}

export function weightBytes(weights: Float32Array): Uint8Array {
  const bytes = new Uint8Array(weights.length * 4);
  const view = new DataView(bytes.buffer);
  weights.forEach((weight, i) => {
    view.setFloat32(i * 4, weight, true);
  });
  return bytes;
}

function shapeOf({ inputs, hidden, classes }: ClassifierManifest): NetworkShape {
  return { inputs: inputs.length, hidden, classes: classes.length };
}

/**
 * What the network gets. Beyond its edge a network of ReLU units says anything: what lies outside the range of training is taken for the
 * nearest that was inside, so that the guess is at least a sensible one.
 * @throws RangeError when a value is no finite number, or a row is not whole
 */
export function scaledRows(inputs: readonly ClassifierInput[], values: Float64Array): Float32Array {
  const width = inputs.length;
  if (values.length % width !== 0) throw new RangeError(`${values.length} values are no rows of ${width}`);
  return Float32Array.from(values, (value, at) => {
    if (!Number.isFinite(value)) throw new RangeError(`row ${Math.floor(at / width)} has a value that is no number`);
    const { mean, sd, cellFrom, cellSize, cells } = inputs[at % width] as ClassifierInput;
    const held = Math.min(cellFrom + cellSize * cells, Math.max(cellFrom, value));
    return (held - mean) / sd;
  });
}

/** The rows with one input at its mean: what the answer loses without it is what the input counts for. */
function replaced(
  values: Float64Array,
  width: number,
  input: number,
  inputs: readonly { mean: number }[],
): Float64Array {
  const mean = inputs[input]?.mean ?? 0;
  return values.map((value, at) => (at % width === input ? mean : value));
}

function weighted(
  readings: readonly { signal: string; value: number }[],
  losses: readonly number[],
): PredictionData["signals"] {
  const sum = losses.reduce((total, loss) => total + loss, 0);
  return readings
    .map((reading, i) => ({ ...reading, weight: rounded(sum < 1e-9 ? 1 / losses.length : (losses[i] ?? 0) / sum) }))
    .sort((a, b) => b.weight - a.weight);
}

function messageOf(
  inputs: readonly ClassifierInput[],
  readings: readonly { value: number }[],
  requirement: string,
  probability: number,
  outsideTraining: boolean,
): string {
  const facts = inputs
    .map(({ title, unit }, i) => `${title} ${Number((readings[i]?.value ?? 0).toPrecision(6))} ${unit}`.trim())
    .join(", ");
  if (outsideTraining) return `${facts}: outside what the model was trained on; its guess is "${requirement}"`;
  const what = requirement === "none" ? "no maintenance needed" : requirement;
  return `${facts}: ${what} (${Math.round(probability * 100)} %)`;
}

function rounded(share: number): number {
  return Number(share.toFixed(PROBABILITY_DIGITS));
}
