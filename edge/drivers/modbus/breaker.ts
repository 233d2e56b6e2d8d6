import type { FailureMeaning } from "./status-map.ts";

/**
 * Keeps dead units from stalling their line: after `failuresMax` failed requests in a row a unit is not asked for `openMs`;
 * then a single request probes it, which closes the breaker or opens it again. Units are at most 256.
 */
export class UnitBreakers {
  readonly #failuresMax: number;
  readonly #openMs: number;
  readonly #units = new Map<number, { failures: number; openUntilMs: number; last: FailureMeaning }>();
  /** How often a breaker opened, probes that failed not counted. */
  opened = 0;

  constructor(failuresMax: number, openMs: number) {
    this.#failuresMax = Math.max(1, failuresMax);
    this.#openMs = openMs;
  }

  /** What the unit last failed with while it must not be asked; undefined when it may. Times are monotonic milliseconds. */
  blocked(unitId: number, nowMs: number): FailureMeaning | undefined {
    const unit = this.#units.get(unitId);
    if (unit === undefined || unit.failures < this.#failuresMax) return undefined;
    return nowMs < unit.openUntilMs ? unit.last : undefined;
  }

  failed(unitId: number, meaning: FailureMeaning, nowMs: number): void {
    const failures = (this.#units.get(unitId)?.failures ?? 0) + 1;
    if (failures === this.#failuresMax) this.opened += 1;
    this.#units.set(unitId, { failures, openUntilMs: nowMs + this.#openMs, last: meaning });
  }

  answered(unitId: number): void {
    this.#units.delete(unitId);
  }

  /** A new connection is a new chance for every unit. */
  clear(): void {
    this.#units.clear();
  }
}
