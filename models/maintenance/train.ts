import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { EdgeError } from "../../edge/kernel/errors.ts";
import { writeManifest } from "../artifact/artifact-files.ts";
import { readLabelledRows } from "./labelled-rows.ts";
import { PRESS_PLAN } from "./press-plan.ts";
import { type Trained, type TrainingOptions, trainClassifier } from "./train-classifier.ts";

export interface MaintenanceTraining extends TrainingOptions {
  /** The lab's HistoricalMaintenanceRecord.csv: pressure (psi), temperature (°C), label; no header. */
  readonly data: string;
  /** Folder of the press's versions. */
  readonly folder: string;
  readonly version: string;
}

/**
 * Trains the press's classifier and writes its artifact, <folder>/<version>/; a version that is there is never written over.
 * @throws EdgeError USAGE when the data can't be read or the version exists
 */
export async function trainMaintenance({ data, folder, version, ...options }: MaintenanceTraining): Promise<Trained> {
  if (!/^\d+\.\d+\.\d+$/.test(version))
    throw new EdgeError("USAGE", `"${version}" is no version`, { hint: "A version has three numbers: 1.1.0" });
  const target = join(folder, version);
  if (existsSync(join(target, "manifest.json")))
    throw new EdgeError("USAGE", `${target} exists`, { hint: "Give another --version: a version never changes." });
  const trained = await trainClassifier({ ...PRESS_PLAN, version }, readLabelledRows(data, 2), options);
  writeManifest(target, trained.manifest);
  writeFileSync(join(target, trained.manifest.weights.name), trained.weights);
  return trained;
}
