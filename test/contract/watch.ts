import type { Sample } from "../../cloud-sync/contract/sample.ts";
import type { Driver } from "../../edge/drivers/driver.ts";
import { EdgeError } from "../../edge/kernel/errors.ts";

/** Waits until `condition` holds; fails with `what` when it does not within `timeoutMs`. */
export async function until(condition: () => boolean, timeoutMs: number, what: string): Promise<void> {
  const deadlineMs = performance.now() + timeoutMs;
  while (!condition()) {
    if (performance.now() > deadlineMs) throw new Error(`within ${timeoutMs} ms this did not happen: ${what}`);
    await pause(10);
  }
}

export function pause(durationMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, durationMs));
}

/** Everything that a driver said while it was watched, in order. */
export interface Watch extends AsyncDisposable {
  readonly samples: Sample[];
  /** What `connect` and `samples` threw, each of which a supervisor would have answered with another `connect`. */
  readonly faults: EdgeError[];
  /** How often `connect` resolved. */
  connects(): number;
  of(signal: string): Sample[];
  latest(signal: string): Sample | undefined;
  /** Aborts and waits for `samples` to end; rejects with an error that is none of the driver's promised ones. */
  stop(): Promise<void>;
}

/** Runs a driver as the runtime does: connect, take samples, connect again after an EdgeError. The caller disposes of it. */
export function watch<Binding>(driver: Driver<Binding>): Watch {
  const abort = new AbortController();
  const samples: Sample[] = [];
  const faults: EdgeError[] = [];
  let connects = 0;
  const run = async () => {
    while (!abort.signal.aborted) {
      try {
        await driver.connect(AbortSignal.any([abort.signal, AbortSignal.timeout(5_000)]));
        connects += 1;
        for await (const batch of driver.samples(abort.signal)) samples.push(...batch);
        if (!abort.signal.aborted) throw new Error("samples() ended although nobody asked it to");
      } catch (error) {
        if (abort.signal.aborted && error instanceof EdgeError) return;
        if (!(error instanceof EdgeError)) throw error;
        faults.push(error);
        await pause(50);
      }
    }
  };
  const done = run();
  done.catch(() => undefined); // reported by stop()
  const stop = () => {
    abort.abort();
    return done;
  };
  return {
    samples,
    faults,
    connects: () => connects,
    of: (signal) => samples.filter((sample) => sample.signal === signal),
    latest: (signal) => samples.findLast((sample) => sample.signal === signal),
    stop,
    [Symbol.asyncDispose]: stop,
  };
}
