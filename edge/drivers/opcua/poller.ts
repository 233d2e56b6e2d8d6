import type { Logger } from "pino";
import type { Clock } from "../../kernel/clock.ts";
import { EdgeError } from "../../kernel/errors.ts";
import type { Delivery } from "./delivery.ts";
import type { Item } from "./item.ts";
import type { OperationLimits } from "./limits.ts";
import type { OpcuaLink } from "./link.ts";
import { readItems } from "./reader.ts";

/** Polling in place of a subscription is never faster than this, whatever sampling interval was asked of the server. */
export const FALLBACK_INTERVAL_MS_MIN = 250;

/** Grouped reads by interval on a fixed grid. A read that overruns its interval is counted and warned about (P16). */
export class Poller {
  missedDeadlines = 0;
  polls = 0;
  readonly #late = new Set<number>();
  readonly #deps: { clock: Clock; logger: Logger; delivery: Delivery };

  constructor(deps: { clock: Clock; logger: Logger; delivery: Delivery }) {
    this.#deps = deps;
  }

  /** Intervals in milliseconds whose polls are late at the moment. */
  get lateIntervalsMs(): readonly number[] {
    return [...this.#late];
  }

  /**
   * Polls one interval's items until the signal aborts. `items` is asked each time, so that a changed set needs no new loop.
   * @throws EdgeError when the link or the session is gone
   */
  async run(
    link: OpcuaLink,
    intervalMs: number,
    items: () => readonly Item[],
    limits: OperationLimits,
    signal: AbortSignal,
  ): Promise<void> {
    const { clock, logger, delivery } = this.#deps;
    let dueMs = clock.monotonicMs();
    while (!signal.aborted) {
      const group = items();
      if (group.length === 0) return;
      try {
        this.polls++;
        await readItems(
          link,
          group,
          limits,
          (item, value) => {
            if (!signal.aborted) delivery.deliver(item, value, item.signal.mode === "poll" ? "poll" : "changes");
          },
          (item, error) => delivery.fail(item, error.statusCode ?? 0x80000000, error.message, error.hint),
        );
      } catch (error) {
        // A poll that is not answered is the watchdog's to judge: it knows whether the link is dead or only slow.
        if (!(error instanceof EdgeError) || error.code !== "DRIVER_NOT_CONNECTED" || link.lost.aborted) throw error;
      }
      dueMs += intervalMs;
      const overrunMs = clock.monotonicMs() - dueMs;
      if (overrunMs >= 0) {
        const missed = Math.floor(overrunMs / intervalMs) + 1;
        this.missedDeadlines += missed;
        dueMs += missed * intervalMs;
        if (!this.#late.has(intervalMs))
          logger.warn({ intervalMs, signals: group.length, overrunMs: Math.round(overrunMs) }, "polling is late");
        this.#late.add(intervalMs);
      } else if (this.#late.delete(intervalMs)) {
        logger.info({ intervalMs }, "polling is in time again");
      }
      await clock.sleep(Math.max(0, dueMs - clock.monotonicMs()), signal);
    }
  }
}
