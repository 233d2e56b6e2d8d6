import type { Logger } from "pino";
import type { Clock } from "../../../edge/kernel/clock.ts";
import type { EventLog } from "../../../edge/log/event-log.ts";
import type { StoredEvent } from "../../contract/event.ts";
import type { Budget } from "../budget.ts";
import type { UplinkLimits } from "../limits.ts";
import type { Pace } from "../pace.ts";
import type { Lane, Outgoing } from "../ports.ts";
import type { UplinkState } from "../state/uplink-state.ts";

/** What every lane works with. */
export interface LaneDeps {
  readonly log: EventLog;
  readonly state: UplinkState;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly site: string;
  readonly limits: UplinkLimits;
  readonly pace: Pace;
  readonly budget: Budget;
  /** Units of this UTC day so far, both lanes. */
  readonly usedUnits: () => number;
  /** An event that fits into no message by itself; durable when it returns. */
  readonly tooLarge: (lane: Lane, event: StoredEvent) => void;
  /** A message that is new, for the figures. */
  readonly live: (facts: { message: Outgoing; samples: number }) => void;
}

/** The log has been replaced by another, or has lost its newest numbers: what is remembered of it is not true any more. */
export class EpochWatch {
  readonly #log: EventLog;
  #epoch: string | undefined;

  constructor(log: EventLog) {
    this.#log = log;
  }

  /** Whether it is another one than at the last look. */
  hasChanged(): boolean {
    const { epoch } = this.#log;
    const changed = this.#epoch !== undefined && this.#epoch !== epoch;
    this.#epoch = epoch;
    return changed;
  }
}
