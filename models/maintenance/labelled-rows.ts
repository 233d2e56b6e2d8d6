import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { EdgeError, messageOf } from "../../edge/kernel/errors.ts";
import { seededRandom, shuffledIndexes } from "../seeded-random.ts";

/** Rows of a table of measurements with what a person found to be wanted. */
export interface LabelledRows {
  /** The file's name, without its folder. */
  readonly name: string;
  readonly sha256: string;
  /** Row by row, `width` numbers each. */
  readonly values: Float64Array;
  readonly width: number;
  readonly labels: Int32Array;
}

/**
 * A CSV of numbers without header, the label in the last column.
 * @throws EdgeError USAGE when the file can't be read or a row is not of that form (named by its line)
 */
export function readLabelledRows(path: string, width: number): LabelledRows {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    throw new EdgeError("USAGE", `${path} can't be read: ${messageOf(error)}`, {
      hint: "Check the path after --data.",
    });
  }
  const lines = bytes.toString("utf8").split(/\r?\n/);
  const values: number[] = [];
  const labels: number[] = [];
  lines.forEach((line, i) => {
    if (line.trim() === "") return;
    const numbers = line.split(",").map((cell) => (cell.trim() === "" ? Number.NaN : Number(cell)));
    const label = numbers.pop() as number;
    if (numbers.length !== width || !numbers.every(Number.isFinite) || !Number.isInteger(label))
      throw new EdgeError("USAGE", `line ${i + 1} of ${path} does not have ${width} numbers and a label`, {
        hint: "The file is a CSV of numbers without header, the label last.",
      });
    values.push(...numbers);
    labels.push(label);
  });
  if (labels.length === 0) throw new EdgeError("USAGE", `${path} has no rows`);
  return {
    name: basename(path),
    sha256: createHash("sha256").update(bytes).digest("hex"),
    values: Float64Array.from(values),
    width,
    labels: Int32Array.from(labels),
  };
}

export function rowsAt(rows: LabelledRows, indexes: ArrayLike<number>): LabelledRows {
  const { width } = rows;
  const values = new Float64Array(indexes.length * width);
  const labels = new Int32Array(indexes.length);
  for (let i = 0; i < indexes.length; i++) {
    const from = indexes[i] as number;
    values.set(rows.values.subarray(from * width, (from + 1) * width), i * width);
    labels[i] = rows.labels[from] as number;
  }
  return { ...rows, values, labels };
}

export interface Split {
  readonly training: LabelledRows;
  /** Of what is not held out: what the probabilities are calibrated on. */
  readonly calibration: LabelledRows;
  readonly holdOut: LabelledRows;
}

export const HOLD_OUT_SHARE = 0.25;
export const CALIBRATION_SHARE = 0.1;

/** The same seed gives the same split. Rows of this table are independent; where a table has units, split it by them. */
export function splitRows(rows: LabelledRows, seed: number): Split {
  const order = shuffledIndexes(rows.labels.length, seededRandom(seed));
  const heldOut = Math.round(order.length * HOLD_OUT_SHARE);
  const calibrated = heldOut + Math.round(order.length * CALIBRATION_SHARE);
  return {
    holdOut: rowsAt(rows, order.subarray(0, heldOut)),
    calibration: rowsAt(rows, order.subarray(heldOut, calibrated)),
    training: rowsAt(rows, order.subarray(calibrated)),
  };
}
