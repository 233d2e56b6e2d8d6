/** Exponential backoff with jitter: attempt 0 waits about `baseMs`, each further one twice as long, never over `maxMs`. */
export interface BackoffOptions {
  readonly baseMs: number;
  readonly maxMs: number;
  /** 0..1; replaced in tests by a seeded source. */
  readonly random?: () => number;
}

/** Milliseconds to wait before attempt `attempt + 1` (attempt counts from 0): half of the step fixed, half random. */
export function backoffMs(attempt: number, { baseMs, maxMs, random = Math.random }: BackoffOptions): number {
  const stepMs = Math.min(maxMs, baseMs * 2 ** Math.min(attempt, 30));
  return stepMs / 2 + (stepMs / 2) * random();
}
