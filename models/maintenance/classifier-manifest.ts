import { type Static, Type } from "typebox";

const Version = Type.String({ pattern: "^\\d+\\.\\d+\\.\\d+$" });
const Sha256 = Type.String({ pattern: "^[0-9a-f]{64}$" });
const Share = Type.Number({ minimum: 0, maximum: 1 });
const Count = Type.Integer({ minimum: 0 });

/** One input of the network: (value − mean) / sd, by the training part alone. */
export const ClassifierInput = Type.Object(
  {
    /** The signal's name at the machine, unless a configuration maps another one onto it. */
    signal: Type.String({ minLength: 1 }),
    title: Type.String(),
    unit: Type.String(),
    mean: Type.Number(),
    sd: Type.Number({ exclusiveMinimum: 0 }),
    /** Where the network saw training data: cells of this size from this edge on. */
    cellFrom: Type.Number(),
    cellSize: Type.Number({ exclusiveMinimum: 0 }),
    cells: Type.Integer({ minimum: 1, maximum: 1000 }),
  },
  { additionalProperties: false },
);

export const ClassifierMetrics = Type.Object(
  {
    rows: Count,
    accuracy: Share,
    /** Nats a row. */
    logLoss: Type.Number({ minimum: 0 }),
    /** Expected calibration error over ten bins of the probability. */
    calibrationError: Share,
    outsideTraining: Count,
    /** By true label, then by predicted label. */
    confusion: Type.Array(Type.Array(Count)),
  },
  { additionalProperties: false },
);
export type ClassifierMetrics = Static<typeof ClassifierMetrics>;

/** manifest.json of a classifier of maintenance requirements. */
export const ClassifierManifest = Type.Object(
  {
    format: Type.Literal("tailstock-classifier-1"),
    name: Type.String({ pattern: "^[a-z0-9][a-z0-9-]{0,63}$" }),
    version: Version,
    inputs: Type.Array(ClassifierInput, { minItems: 1, maxItems: 64 }),
    classes: Type.Array(
      Type.Object(
        { label: Type.Integer(), requirement: Type.String({ minLength: 1 }) },
        { additionalProperties: false },
      ),
      { minItems: 2, maxItems: 64 },
    ),
    /** Units of the hidden layers. */
    hidden: Type.Array(Type.Integer({ minimum: 1, maximum: 4096 }), { minItems: 1, maxItems: 8 }),
    /** What the logits are divided by, so that probabilities are what they say. */
    temperature: Type.Number({ exclusiveMinimum: 0 }),
    /** Training rows a cell needs for an input in it to count as seen. */
    cellRowsMin: Type.Integer({ minimum: 1 }),
    /** Training rows by cell, the last input's cells beside each other. */
    cellRows: Type.Array(Count, { maxItems: 100_000 }),
    weights: Type.Object({ name: Type.String(), bytes: Count, sha256: Sha256 }, { additionalProperties: false }),
    training: Type.Object(
      {
        data: Type.String(),
        sha256: Sha256,
        rows: Count,
        split: Type.String(),
        seed: Count,
        epochs: Count,
      },
      { additionalProperties: false },
    ),
    metrics: Type.Object({ holdOut: ClassifierMetrics }, { additionalProperties: false }),
  },
  { additionalProperties: false },
);
export type ClassifierManifest = Static<typeof ClassifierManifest>;
export type ClassifierInput = Static<typeof ClassifierInput>;
