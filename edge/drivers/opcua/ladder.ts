/** What is tried, in this order, when a subscription that should publish does not (republishing comes before all). */
export type Rung = "subscription" | "session" | "polling";

/** After this much time without a fault the ladder begins at its foot again. */
const HEALTHY_MS = 60_000;

/** Remembers how far up the driver has gone. Polling is the last rung; from there the way up is tried again slowly. */
export class Ladder {
  climbs = 0;
  /** Status of the refusal that led to polling, null when it was silence or there is none. */
  refusal: number | null = null;
  #rung: Rung | null = null;
  #climbedMs = Number.NEGATIVE_INFINITY;
  readonly #probeMs: number;

  constructor(probeMs: number) {
    this.#probeMs = probeMs;
  }

  get polling(): boolean {
    return this.#rung === "polling";
  }

  climb(nowMs: number): Rung {
    const again = nowMs - this.#climbedMs < HEALTHY_MS;
    this.#rung = !again || this.#rung === null ? "subscription" : this.#rung === "subscription" ? "session" : "polling";
    this.#climbedMs = nowMs;
    this.climbs++;
    return this.#rung;
  }

  toPolling(refusal: number): void {
    this.refusal = refusal;
    this.#rung = "polling";
    this.climbs++;
  }

  mayProbe(nowMs: number): boolean {
    return nowMs - this.#climbedMs >= this.#probeMs;
  }

  /** Back to a subscription; if that is dead too, the next climb returns to polling at once. */
  leavePolling(): void {
    this.#rung = "session";
    this.refusal = null;
  }
}
