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

/** Most of the time that a look may take: a log of a month is large, and who asks also polls machines or serves pages. */
const WAITING_SHARE = 1 / 100;
/** The room changes slowly, and all blocks are looked at for it. */
const FORECAST_SHARE = 1 / 500;
const EVERY_MS_MIN = 2_000;

/** How full the log is and how much of it waits for the line, each looked at as often as it is cheap. */
export class LogGauge {
  readonly #forecast: SeldomLook<Forecast>;
  readonly #waiting: SeldomLook<Backlog>;

  constructor(log: ExaminableLog, bounds: BoundsOptions, clock: Clock) {
    const { forwardedBy } = bounds;
    const backlog = (): Backlog =>
      forwardedBy === undefined ? { events: 0, readings: 0 } : backlogPast(log, log.cursor(forwardedBy));
    this.#forecast = new SeldomLook(() => forecast(log, bounds), FORECAST_SHARE, clock);
    this.#waiting = new SeldomLook(backlog, WAITING_SHARE, clock);
  }

  /** How long there is room for what comes in; null when nothing does. @throws EdgeError LOG_UNAVAILABLE, LOG_CORRUPT */
  roomMs(): number | null {
    const { timeToFullMs, maxAgeMs } = this.#forecast.look();
    return timeToFullMs === null ? null : Math.min(timeToFullMs, maxAgeMs);
  }

  /** @throws EdgeError LOG_UNAVAILABLE, LOG_CORRUPT */
  look(): Gauged {
    return { forecast: this.#forecast.look(), waiting: this.#waiting.look() };
  }
}

/** Something that costs time to find out, found out anew only so often that it takes a given share of the time. */
class SeldomLook<T> {
  readonly #find: () => T;
  readonly #share: number;
  readonly #clock: Clock;
  #last: { readonly value: T; readonly dueMs: number } | undefined;

  constructor(find: () => T, share: number, clock: Clock) {
    this.#find = find;
    this.#share = share;
    this.#clock = clock;
  }

  look(): T {
    const startedMs = this.#clock.monotonicMs();
    if (this.#last && startedMs < this.#last.dueMs) return this.#last.value;
    const value = this.#find();
    const tookMs = this.#clock.monotonicMs() - startedMs;
    this.#last = { value, dueMs: startedMs + tookMs + Math.max(EVERY_MS_MIN, tookMs / this.#share) };
    return value;
  }
}
