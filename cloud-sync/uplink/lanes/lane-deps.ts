import type { Logger } from "pino";
import type { Clock } from "../../../edge/kernel/clock.ts";
import { EdgeError } from "../../../edge/kernel/errors.ts";
import type { EventLog } from "../../../edge/log/event-log.ts";
import type { StoredEvent } from "../../contract/event.ts";
import type { Budget } from "../budget.ts";
import type { UplinkLimits } from "../limits.ts";
import type { Pace } from "../pace.ts";
import { samplesIn } from "../pack/pack-live.ts";
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

/**
 * The cursors of one reading of a log. A disk that is full takes none just now: what went has gone all the same, and the
 * cursor follows with its next step; a crash until then costs duplicates.
 */
export class SavedCursors {
  readonly #log: EventLog;
  #epoch: string | undefined;
  readonly #unsaved = new Map<string, number>();

  constructor(log: EventLog) {
    this.#log = log;
  }

  /** What is saved from here on is of the log that is there now. */
  begin(): void {
    this.#epoch = this.#log.epoch;
    this.#unsaved.clear();
  }

  /** @throws EdgeError LOG_UNAVAILABLE when another log is there: in it, a cursor of this one would skip what is new */
  save(name: string, offset: number): void {
    if (this.#epoch !== undefined && this.#log.epoch !== this.#epoch) {
      throw new EdgeError("LOG_UNAVAILABLE", "another log has taken the place of the one that was read", {
        hint: "Nothing to check: it is read from its beginning.",
      });
    }
    this.#unsaved.set(name, offset);
    try {
      for (const [each, at] of this.#unsaved) {
        this.#log.saveCursor(each, at);
        this.#unsaved.delete(each);
      }
    } catch (error) {
      if (!(error instanceof EdgeError) || error.code !== "LOG_FULL") throw error;
    }
  }
}

/** Readings that one read of the log is to give, about. */
const READ_SAMPLES = 50_000;
const FIRST_EVENTS = 16;

/** How many events to read at once: an event has one reading or ten thousand, and those before tell of those behind. */
export class ReadSize {
  readonly #eventsMax: number;
  #events: number;

  constructor(eventsMax: number) {
    this.#eventsMax = eventsMax;
    this.#events = Math.min(FIRST_EVENTS, eventsMax);
  }

  get events(): number {
    return this.#events;
  }

  saw(events: readonly StoredEvent[]): void {
    if (events.length === 0) return;
    const samples = samplesIn([events]);
    const wanted = Math.floor((READ_SAMPLES * events.length) / Math.max(1, samples));
    this.#events = Math.max(1, Math.min(this.#eventsMax, wanted));
  }
}
