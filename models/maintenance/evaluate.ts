import type { Classifier } from "./classifier.ts";
import type { ClassifierMetrics } from "./classifier-manifest.ts";
import { readLabelledRows, splitRows } from "./labelled-rows.ts";
import { measureClassifier } from "./measure-classifier.ts";

/** What the lab's scoring contract names: pressure, temperature, the label that must come out. */
export const CHECK_VECTORS = [
  { pressure: 7470, temperature: 69, label: 1 },
  { pressure: 7490, temperature: 55, label: 0 },
  { pressure: 7800, temperature: 30, label: 3 },
] as const;

export interface MaintenanceEvaluation {
  readonly model: string;
  /** Which rows were measured. */
  readonly rows: string;
  readonly metrics: ClassifierMetrics;
  readonly checks: readonly { readonly wanted: number; readonly got: number; readonly outsideTraining: boolean }[];
}

/**
 * Measures a classifier on rows that it was not trained on: of the file that it was trained on, those that were held out, else all.
 * @throws EdgeError USAGE when the file can't be read
 */
export function evaluateMaintenance(classifier: Classifier, data: string): MaintenanceEvaluation {
  const rows = readLabelledRows(data, classifier.inputs.length);
  const { training, name, version } = classifier.manifest;
  const isOwn = rows.sha256 === training.sha256;
  const checked = Float64Array.from(CHECK_VECTORS.flatMap(({ pressure, temperature }) => [pressure, temperature]));
  return {
    model: `${name} ${version}`,
    rows: isOwn ? "the 25 % held out in training" : "all: the model was trained on another file",
    metrics: measureClassifier(classifier, isOwn ? splitRows(rows, training.seed).holdOut : rows),
    checks: classifier.classify(checked).map(({ label, outsideTraining }, i) => ({
      wanted: CHECK_VECTORS[i]?.label ?? -1,
      got: label,
      outsideTraining,
    })),
  };
}
