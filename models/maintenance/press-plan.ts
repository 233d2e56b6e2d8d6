import type { ClassifierPlan } from "./train-classifier.ts";

/** The stamping press: which of six states of its harness, plate and screws a reading of pressure and temperature speaks for. */
export const PRESS_PLAN: ClassifierPlan = {
  name: "press-maintenance",
  version: "1.0.0",
  inputs: [
    { signal: "machinePressure", title: "pressure", unit: "psi", cells: 20, resolution: 1 },
    { signal: "machineTemperature", title: "machine temperature", unit: "°C", cells: 10, resolution: 1 },
  ],
  classes: [
    { label: 0, requirement: "none" },
    { label: 1, requirement: "tighten the adjustment harness" },
    { label: 2, requirement: "loosen the adjustment harness" },
    { label: 3, requirement: "tighten the restrictor plate" },
    { label: 4, requirement: "loosen the restrictor plate" },
    { label: 5, requirement: "replace the fabrication screws" },
  ],
  hidden: [24, 24],
  cellRowsMin: 5,
};
