import type { PeerRequest } from "./request.ts";

/**
 * What may befall a request. throttled: 429 with a time to wait. retry-with: 449. unavailable: 503, with a body or as a balancer without.
 * reset: the connection breaks before anything is done; reset-after: it is done, and the answer is lost.
 */
export type FaultKind = "throttled" | "retry-with" | "unavailable" | "unavailable-bare" | "reset" | "reset-after";

export interface Fault {
  readonly kind: FaultKind;
  /** Which requests; all when left out. */
  readonly of?: (request: PeerRequest) => boolean;
  /** How many of them; 1 when left out. */
  readonly times?: number;
  readonly retryAfterMs?: number;
}

/** Faults that a test has ordered; each befalls the next requests that it is meant for. */
export class Faults {
  readonly #ordered: { fault: Fault; left: number }[] = [];

  order(fault: Fault): void {
    this.#ordered.push({ fault, left: fault.times ?? 1 });
  }

  clear(): void {
    this.#ordered.length = 0;
  }

  next(request: PeerRequest): Fault | undefined {
    const found = this.#ordered.find(({ fault, left }) => left > 0 && (fault.of?.(request) ?? true));
    if (found !== undefined) found.left--;
    return found?.fault;
  }
}

export function isWrite({ headers }: PeerRequest): boolean {
  return headers["x-ms-cosmos-is-batch-request"] !== undefined;
}

export function isFeed({ headers }: PeerRequest): boolean {
  return headers["a-im"] !== undefined;
}
