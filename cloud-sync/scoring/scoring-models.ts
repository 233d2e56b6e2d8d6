import { join } from "node:path";
import { type DetectorModels, loadDetectorModels } from "../../models/anomaly/detector-manifest.ts";
import { newestVersion } from "../../models/artifact/newest-version.ts";
import { type Classifier, loadClassifier } from "../../models/maintenance/classifier.ts";

/** The models that telemetry is scored by. */
export interface ScoringModels {
  readonly classifier: Classifier;
  readonly detectors: DetectorModels;
}

/** The newest of each from the folder models/. @throws EdgeError MODEL_INVALID */
export async function loadScoringModels(folder: string): Promise<ScoringModels> {
  const anomaly = join(folder, "anomaly");
  const press = join(folder, "maintenance", "press");
  return {
    classifier: await loadClassifier(join(press, newestVersion(press))),
    detectors: loadDetectorModels(anomaly, {
      spikeDip: newestVersion(join(anomaly, "spike-dip")),
      changepoint: newestVersion(join(anomaly, "changepoint")),
    }),
  };
}
