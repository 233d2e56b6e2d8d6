import type { Clock } from "../kernel/clock.ts";
import { type Backlog, backlogPast } from "./backlog.ts";
import { type Forecast, forecast } from "./forecast.ts";
import type { BoundsOptions } from "./keep/bounds.ts";
import type { ExaminableLog } from "./reader.ts";

export interface Gauged {
  readonly forecast: Forecast;
  /** Past the cursor that the log's `forwardedBy` names; nothing when it names none. */
  readonly waiting: Backlog;
}

/** A log of a month is large: looking at it takes this share of the time at most. */
const SHARE = 1 / 100;
const EVERY_MS_MIN = 2_000;

/** How full the log is and how much of it waits for the line, looked at as often as it is cheap. */
export class LogGauge {
  readonly #log: ExaminableLog;
  readonly #bounds: BoundsOptions;
  readonly #clock: Clock;
  #last: Gauged | undefined;
  #dueMs = Number.NEGATIVE_INFINITY;

  constructor(log: ExaminableLog, bounds: BoundsOptions, clock: Clock) {
    this.#log = log;
    this.#bounds = bounds;
    this.#clock = clock;
  }

  /** How long there is room for what comes in; null when nothing does. @throws EdgeError LOG_UNAVAILABLE, LOG_CORRUPT */
  roomMs(): number | null {
    const { timeToFullMs, maxAgeMs } = this.look().forecast;
    return timeToFullMs === null ? null : Math.min(timeToFullMs, maxAgeMs);
  }

  /** @throws EdgeError LOG_UNAVAILABLE, LOG_CORRUPT */
  look(): Gauged {
    const startedMs = this.#clock.monotonicMs();
    if (this.#last && startedMs < this.#dueMs) return this.#last;
    const { forwardedBy } = this.#bounds;
    this.#last = {
      forecast: forecast(this.#log, this.#bounds),
      waiting:
        forwardedBy === undefined ? { events: 0, readings: 0 } : backlogPast(this.#log, this.#log.cursor(forwardedBy)),
    };
    const endedMs = this.#clock.monotonicMs();
    this.#dueMs = endedMs + Math.max(EVERY_MS_MIN, (endedMs - startedMs) / SHARE);
    return this.#last;
  }
}
