import type { Clock } from "../../../edge/kernel/clock.ts";
import { cosmosError, refusalOf } from "./cosmos-error.ts";

/** Longest that one request is tried again for, after the account asked to come later. */
const WAIT_MS_MAX = 30_000;
/** Where the account does not say how long: after a conflict of two writers (449). */
const CONFLICT_WAIT_MS = 20;
const ATTEMPTS_MAX = 50;

/**
 * Does the work, and again when the account is at its throughput (429) or two writers met (449), as long as it asks for; within limits.
 * @throws EdgeError STORE_UNAVAILABLE, STORE_REFUSED; the signal's reason
 */
export async function attempt<T>(clock: Clock, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  let waitedMs = 0;
  for (let attempts = 1; ; attempts++) {
    signal.throwIfAborted();
    try {
      return await endedBy(signal, work());
    } catch (error) {
      signal.throwIfAborted();
      const { status, retryAfterMs = CONFLICT_WAIT_MS } = refusalOf(error);
      const isLater = status === 429 || status === 449;
      if (!isLater || attempts >= ATTEMPTS_MAX || waitedMs + retryAfterMs > WAIT_MS_MAX) throw cosmosError(error);
      waitedMs += retryAfterMs;
      await clock.sleep(retryAfterMs, signal);
    }
  }
}

/** The SDK can't abort everything that it does: we stop waiting for it, and its own timeout ends it. */
async function endedBy<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  let abort = (): void => undefined;
  const aborted = new Promise<never>((_, reject) => {
    abort = () => reject(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener("abort", abort);
    work.catch(() => undefined);
  }
}

/**
 * Works on all, at most `parallelMax` at a time. After a failure nothing new begins; what is under way ends before the failure is thrown.
 */
export async function eachOf<T, R>(
  items: readonly T[],
  parallelMax: number,
  work: (item: T) => Promise<R>,
): Promise<R[]> {
  const results: R[] = new Array(items.length);
  let next = 0;
  let failure: { readonly error: unknown } | undefined;
  const worker = async (): Promise<void> => {
    while (next < items.length && failure === undefined) {
      const index = next++;
      try {
        results[index] = await work(items[index] as T);
      } catch (error) {
        failure ??= { error };
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(parallelMax, items.length) }, worker));
  if (failure !== undefined) throw failure.error;
  return results;
}
