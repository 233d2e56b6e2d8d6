import type { Statistics } from "./schema.ts";

/** Count, mean and spread of a part; parts are put together exactly (Chan, Golub, LeVeque: Updating Formulae, 1979). */
export interface Moments {
  readonly count: number;
  readonly mean: number;
  /** Sum of squared differences from the mean. */
  readonly squares: number;
  readonly minimum: number;
  readonly maximum: number;
}

const NONE: Moments = {
  count: 0,
  mean: 0,
  squares: 0,
  minimum: Number.POSITIVE_INFINITY,
  maximum: Number.NEGATIVE_INFINITY,
};

export function together(parts: readonly Moments[]): Moments {
  return parts.reduce((a, b) => {
    if (b.count === 0) return a;
    const count = a.count + b.count;
    const difference = b.mean - a.mean;
    return {
      count,
      mean: a.mean + (difference * b.count) / count,
      squares: a.squares + b.squares + (difference ** 2 * a.count * b.count) / count,
      minimum: Math.min(a.minimum, b.minimum),
      maximum: Math.max(a.maximum, b.maximum),
    };
  }, NONE);
}

export function statisticsOf({ count, mean, squares, minimum, maximum }: Moments): Statistics {
  if (count === 0) return { count: 0, mean: null, sd: null, minimum: null, maximum: null };
  return { count, mean, sd: count < 2 ? null : Math.sqrt(squares / (count - 1)), minimum, maximum };
}
