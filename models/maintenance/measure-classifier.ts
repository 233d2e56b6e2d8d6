import type { Classifier } from "./classifier.ts";
import type { ClassifierMetrics } from "./classifier-manifest.ts";
import type { LabelledRows } from "./labelled-rows.ts";
import { largestAt } from "./softmax.ts";

const BINS = 10;
const PROBABILITY_MIN = 1e-9;

/** How well a classifier does on rows that it has not seen. */
export function measureClassifier(classifier: Classifier, rows: LabelledRows): ClassifierMetrics {
  const { classes } = classifier;
  const indexOf = new Map(classes.map(({ label }, i) => [label, i]));
  const confusion = classes.map(() => classes.map(() => 0));
  const bins = Array.from({ length: BINS }, () => ({ rows: 0, sure: 0, right: 0 }));
  let [right, loss, outsideTraining] = [0, 0, 0];
  classifier.classify(rows.values).forEach(({ probabilities, outsideTraining: isOutside }, row) => {
    const truth = indexOf.get(rows.labels[row] as number);
    const said = largestAt(probabilities);
    const sure = probabilities[said] as number;
    const isRight = said === truth;
    if (isRight) right++;
    if (isOutside) outsideTraining++;
    loss -= Math.log(Math.max(PROBABILITY_MIN, truth === undefined ? 0 : (probabilities[truth] as number)));
    const bin = bins[Math.min(BINS - 1, Math.floor(sure * BINS))] as (typeof bins)[number];
    bin.rows++;
    bin.sure += sure;
    if (isRight) bin.right++;
    const line = truth === undefined ? undefined : confusion[truth];
    if (line !== undefined) line[said] = (line[said] as number) + 1;
  });
  const count = rows.labels.length;
  const error = bins.reduce((sum, bin) => sum + Math.abs(bin.sure - bin.right), 0) / count;
  return {
    rows: count,
    accuracy: right / count,
    logLoss: round6(loss / count),
    calibrationError: round6(error),
    outsideTraining,
    confusion,
  };
}

function round6(value: number): number {
  return Number(value.toFixed(6));
}
