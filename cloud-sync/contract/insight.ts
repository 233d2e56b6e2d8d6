/**
 * Data of the events that models make, at the edge and in the cloud alike. A derived event keeps time and entityId of the telemetry that
 * it says something of, and names it in causedBy.
 */
export const ANOMALY_KINDS = ["spike", "dip", "changepoint", "contextual", "multivariate", "stuck", "missing"] as const;
export type AnomalyKind = (typeof ANOMALY_KINDS)[number];

export interface ModelName {
  readonly name: string;
  /** Compared part by part as numbers: 1.10.0 is newer than 1.9.2. */
  readonly version: string;
}

export interface AnomalyData {
  readonly kind: AnomalyKind;
  /** null of a machine as a whole. */
  readonly signal: string | null;
  readonly value: number | null;
  readonly score: number;
  /** The score from which on it is one. */
  readonly threshold: number;
  readonly expected: { readonly low: number; readonly high: number } | null;
  /** A sentence for people. */
  readonly message: string;
  readonly model: ModelName;
}

export interface PredictionData {
  /** What is to be done; "none" when nothing is. */
  readonly requirement: string;
  /** 0 to 1, calibrated; null when the model gives none. */
  readonly probability: number | null;
  readonly remainingHours: { readonly value: number; readonly low: number; readonly high: number } | null;
  /** The input lies outside what the model was trained on: then the requirement is a guess, and said to be one. */
  readonly outsideTraining: boolean;
  /** What drove it, the strongest first. */
  readonly signals: readonly { readonly signal: string; readonly value: number; readonly weight: number }[];
  readonly message: string;
  readonly model: ModelName;
}
