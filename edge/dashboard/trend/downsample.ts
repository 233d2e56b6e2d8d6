/** Columns of one line: times in UTC epoch ms, ascending, and values; null breaks the line. */
export interface Line {
  readonly timesMs: number[];
  readonly values: (number | null)[];
}

interface Bucket {
  index: number;
  minMs: number;
  min: number;
  maxMs: number;
  max: number;
  hasValue: boolean;
  gapMs: number | undefined;
}

/**
 * Thins a line while it arrives: per bucket of time the lowest and the highest value, each at its own time, and whether
 * the line broke. A spike of one sample survives at any zoom. At most `pointsMax` points come out, whatever goes in.
 */
export class Downsampler {
  readonly #fromMs: number;
  readonly #bucketMs: number;
  readonly #buckets: number;
  readonly #line: Line = { timesMs: [], values: [] };
  #bucket: Bucket | undefined;
  #broken = true;

  constructor(fromMs: number, toMs: number, pointsMax: number) {
    this.#fromMs = fromMs;
    // A bucket gives three points at most: lowest, highest, break.
    this.#buckets = Math.max(1, Math.floor(pointsMax / 3));
    this.#bucketMs = Math.max(1, (toMs - fromMs) / this.#buckets);
  }

  /** @param value null breaks the line at this time */
  add(timeMs: number, value: number | null): void {
    const index = Math.min(this.#buckets - 1, Math.max(0, Math.floor((timeMs - this.#fromMs) / this.#bucketMs)));
    let bucket = this.#bucket;
    // A clock that was set back must not bring back a bucket that is finished: its samples join the present one.
    if (!bucket || index > bucket.index) {
      this.#finish();
      bucket = { index, minMs: 0, min: 0, maxMs: 0, max: 0, hasValue: false, gapMs: undefined };
      this.#bucket = bucket;
    }
    if (value === null) {
      bucket.gapMs = timeMs;
    } else if (!bucket.hasValue) {
      bucket.hasValue = true;
      bucket.min = bucket.max = value;
      bucket.minMs = bucket.maxMs = timeMs;
    } else {
      if (value < bucket.min) [bucket.min, bucket.minMs] = [value, timeMs];
      if (value >= bucket.max) [bucket.max, bucket.maxMs] = [value, timeMs];
    }
  }

  finish(): Line {
    this.#finish();
    return this.#line;
  }

  #finish(): void {
    const bucket = this.#bucket;
    this.#bucket = undefined;
    if (!bucket) return;
    const points: [number, number | null][] = [];
    if (bucket.hasValue) {
      points.push([bucket.minMs, bucket.min]);
      if (bucket.max !== bucket.min) points.push([bucket.maxMs, bucket.max]);
    }
    // One break after another adds nothing.
    if (bucket.gapMs !== undefined && (bucket.hasValue || !this.#broken)) points.push([bucket.gapMs, null]);
    points.sort((a, b) => a[0] - b[0]);
    for (const [timeMs, value] of points) {
      const previousMs = this.#line.timesMs.at(-1);
      this.#line.timesMs.push(previousMs === undefined ? timeMs : Math.max(previousMs, timeMs));
      this.#line.values.push(value);
      this.#broken = value === null;
    }
  }
}
