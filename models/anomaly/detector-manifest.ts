import { join } from "node:path";
import { type Static, Type } from "typebox";
import { readManifest } from "../artifact/artifact-files.ts";

const closed = { additionalProperties: false } as const;
const Version = Type.String({ pattern: "^\\d+\\.\\d+\\.\\d+$" });
const Count = (maximum: number) => Type.Integer({ minimum: 1, maximum });
const Factor = Type.Number({ exclusiveMinimum: 0, maximum: 1e6 });

const SpikeDipManifest = Type.Object(
  {
    format: Type.Literal("tailstock-spike-dip-1"),
    name: Type.Literal("spike-dip"),
    version: Version,
    parameters: Type.Object(
      {
        /** Readings that are kept one by one, and readings that are kept of what came before them, one of `stride`. */
        recent: Count(1024),
        earlier: Count(4096),
        stride: Count(1000),
        /** Readings before anything is said. */
        warmUp: Count(4096),
        /** Width of the kernel, in standard deviations. */
        bandwidth: Factor,
        /** −log10 of the p-value from which on a reading is an anomaly. */
        threshold: Factor,
        /** So many readings beside the history, one after the other, are a new level and no outliers. */
        levelAfter: Count(1000),
        /** So many anomalies more than one in `floodEvery` readings: the history describes the signal no longer. */
        floodMax: Count(1000),
        floodEvery: Count(100_000),
        /** After a silence of this length, milliseconds, readings are taken up unjudged for `settle` readings. */
        gapMs: Count(1e9),
        settle: Count(1000),
      },
      closed,
    ),
  },
  closed,
);
export type SpikeDipParameters = Static<typeof SpikeDipManifest>["parameters"];

const ChangepointManifest = Type.Object(
  {
    format: Type.Literal("tailstock-changepoint-1"),
    name: Type.Literal("changepoint"),
    version: Version,
    parameters: Type.Object(
      {
        /** Readings of which the mean is one step of the test. */
        block: Count(10_000),
        /** Blocks before anything is said; also how many the baseline remembers. */
        warmUp: Count(10_000),
        memory: Count(10_000),
        /** CUSUM: what is taken off each step, and the sum from which on it is a change; in standard deviations of a block's mean. */
        slack: Factor,
        threshold: Factor,
        /** A step counts no more than this. */
        stepMax: Factor,
        /** Standard deviation of a block's mean at least, as a share of the readings' own. */
        deviationMin: Factor,
        /** Blocks after a change in which no other is told. */
        quiet: Count(10_000),
      },
      closed,
    ),
  },
  closed,
);
export type ChangepointParameters = Static<typeof ChangepointManifest>["parameters"];

export interface DetectorModels {
  readonly spikeDip: Static<typeof SpikeDipManifest>;
  readonly changepoint: Static<typeof ChangepointManifest>;
}

/**
 * Reads the detectors' parameters from <folder>/spike-dip/<version> and <folder>/changepoint/<version>.
 * @throws EdgeError MODEL_INVALID
 */
export function loadDetectorModels(
  folder: string,
  versions: { spikeDip: string; changepoint: string },
): DetectorModels {
  return {
    spikeDip: readManifest(join(folder, "spike-dip", versions.spikeDip), SpikeDipManifest),
    changepoint: readManifest(join(folder, "changepoint", versions.changepoint), ChangepointManifest),
  };
}
