export const MINUTE_MS = 60_000;
export const HOUR_MS = 3_600_000;
/** Points of one line at most, whatever the span. */
export const TREND_POINTS_MAX = 2_000;
/** A longer span is read from hours: two thousand points of three minutes. */
const MINUTES_SPAN_MS_MAX = 72 * HOUR_MS;

export interface Bucketing {
  readonly source: "minutes" | "hours";
  readonly bucketMs: number;
  /** Begin of the first bucket. */
  readonly firstMs: number;
}

/** One row of a roll-up. */
export interface RollupPoint {
  readonly timeMs: number;
  readonly count: number;
  readonly minimum: number;
  readonly maximum: number;
  readonly sum: number;
}

export function bucketingOf(fromMs: number, toMs: number): Bucketing {
  const source = toMs - fromMs <= MINUTES_SPAN_MS_MAX ? "minutes" : "hours";
  const stepMs = source === "minutes" ? MINUTE_MS : HOUR_MS;
  // Aligned buckets reach beyond both ends of the span, so that there may be one more of them.
  const bucketMs = Math.max(1, Math.ceil((toMs - fromMs) / stepMs / (TREND_POINTS_MAX - 1))) * stepMs;
  return { source, bucketMs, firstMs: Math.floor(fromMs / bucketMs) * bucketMs };
}

interface Bucket {
  count: number;
  minimum: number;
  maximum: number;
  sum: number;
  isThinned: boolean;
}

export interface Points {
  readonly timesMs: number[];
  readonly means: number[];
  readonly minima: number[];
  readonly maxima: number[];
  readonly counts: number[];
  readonly thinned: number[];
}

/**
 * Adds rows up to buckets. Where the box's own aggregates know of more readings in a step than are here, they stand for it, and the bucket
 * is marked: the two are of the same readings and are never added.
 * @param rollup of readings that are here, each step at most once
 * @param thinned of readings that had to make room at the box, each step at most once
 */
export function bucketed(
  { bucketMs }: Bucketing,
  rollup: readonly RollupPoint[],
  thinned: readonly RollupPoint[],
): Points {
  const steps = new Map(rollup.map((point) => [point.timeMs, { point, isThinned: false }]));
  for (const point of thinned) {
    const here = steps.get(point.timeMs);
    if (here === undefined || here.point.count < point.count) steps.set(point.timeMs, { point, isThinned: true });
  }
  const buckets = new Map<number, Bucket>();
  for (const { point, isThinned } of steps.values()) {
    if (point.count <= 0) continue;
    const beginMs = Math.floor(point.timeMs / bucketMs) * bucketMs;
    const bucket = buckets.get(beginMs);
    if (bucket === undefined) {
      const { count, minimum, maximum, sum } = point;
      buckets.set(beginMs, { count, minimum, maximum, sum, isThinned });
      continue;
    }
    bucket.count += point.count;
    bucket.sum += point.sum;
    bucket.minimum = Math.min(bucket.minimum, point.minimum);
    bucket.maximum = Math.max(bucket.maximum, point.maximum);
    bucket.isThinned ||= isThinned;
  }
  const points: Points = { timesMs: [], means: [], minima: [], maxima: [], counts: [], thinned: [] };
  for (const [timeMs, { count, minimum, maximum, sum, isThinned }] of [...buckets].sort(([a], [b]) => a - b)) {
    if (isThinned) points.thinned.push(points.timesMs.length);
    points.timesMs.push(timeMs);
    points.means.push(sum / count);
    points.minima.push(minimum);
    points.maxima.push(maximum);
    points.counts.push(count);
  }
  return points;
}
