import type { Sample } from "../../cloud-sync/contract/sample.ts";

/** What a connection is doing, in the words that the dashboard shows. */
export type { LinkState } from "../../cloud-sync/contract/event.ts";

import type { LinkState } from "../../cloud-sync/contract/event.ts";

/** One signal that can't be read as configured, with the reason for the technician. */
export interface SignalProblem {
  readonly machineId: string;
  readonly signal: string;
  readonly statusCode: number;
  /** One sentence: what, where, what was expected. */
  readonly message: string;
  readonly hint: string;
}

/** A snapshot; cheap enough to take every second. Counters only grow during the driver's life. */
export interface DriverStatus {
  readonly state: LinkState;
  /** One sentence for people: "subscribed to 320 of 322 signals, 2 refused". */
  readonly detail: string;
  readonly counters: Readonly<Record<string, number>>;
  /** At most `PROBLEMS_MAX`, worst first. */
  readonly problems: readonly SignalProblem[];
}
export const PROBLEMS_MAX = 100;

/**
 * Reads the signals of the machines behind one connection and yields samples; it never touches the log. The obligations
 * below are checked by test/contract/driver-contract.ts, which every driver passes against a real server on a socket.
 *
 * 1. The constructor does nothing. `connect` may be called again after any failure; its signal bounds the attempt only.
 * 2. `connect` rejects with an EdgeError whose `statusCode` says what all signals are while it lasts, and whose hint says
 *    what to check: DRIVER_NOT_CONNECTED (nobody there, timeout), DRIVER_REFUSED (certificate, identity, security policy).
 * 3. `samples` yields every signal at least once after connect (a Bad sample when it can't be read), keeps source and
 *    server times as delivered, and ends quietly when its signal aborts. It throws DRIVER_NOT_CONNECTED when the link
 *    drops for good. While a link is being mended inside the driver, signals become Bad or Uncertain within
 *    `staleAfterMs`: never silence, and no sample twice.
 * 4. A signal that can't be read (missing node, illegal register, wrong type) is a Bad sample with its own status code and a
 *    `problem`; the others go on undisturbed.
 * 5. `apply` takes a new set of machines while running: signals that did not change are not touched (no gap, no repeat).
 * 6. Dispose is idempotent, legal even if connect never succeeded, closes sessions and sockets on the other side too, and
 *    takes no longer than `DISPOSE_MS_MAX`.
 * 7. Memory is bounded: when the consumer is slow, the driver holds at most `PENDING_SAMPLES_MAX` samples, drops the oldest
 *    and counts them in `counters.overflowed`.
 */
export interface Driver<Binding> extends AsyncDisposable {
  connect(signal: AbortSignal): Promise<void>;
  samples(signal: AbortSignal): AsyncIterable<readonly Sample[]>;
  apply(machines: readonly Binding[]): void;
  status(): DriverStatus;
}
export const DISPOSE_MS_MAX = 3_000;
export const PENDING_SAMPLES_MAX = 200_000;
