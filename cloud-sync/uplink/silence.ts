import type { Clock } from "../../edge/kernel/clock.ts";
import { EdgeError } from "../../edge/kernel/errors.ts";
import type { Knocking } from "./knocking.ts";

/** Silence that is suspicious, beyond what the line needs for what is under way. */
const PATIENCE_MS = 3_000;
/** What is under way may take so many times as long as it should. */
const SLOWNESS = 3;
/** After the hub has answered a knock: what the session still gets to say something. */
const GRACE_MS_MIN = 500;
const LOOK_MS = 500;

/** What waits for an acknowledgement, at one moment. */
export interface Waiting {
  /** Since when nothing was acknowledged although something is under way; 0 when nothing is. */
  readonly silentMs: number;
  /** What the line has needed before for as much as is under way; undefined while nobody knows. */
  readonly expectedMs: number | undefined;
}

/**
 * A connection that died without a word looks like a slow one, and TCP tries again ever more rarely: after a minute without a
 * line it may take another until it notices that the line is back. So when a session is silent for longer than it should be,
 * and the hub answers on a new connection but not on this one, this one is given up.
 *
 * A hub that is slow to acknowledge looks like that, too: each time a session was given up in vain, patience doubles.
 */
export class SilenceWatch {
  readonly #clock: Clock;
  readonly #knocking: Knocking;
  readonly #patienceMsMax: number;
  #patienceMs = PATIENCE_MS;

  constructor(clock: Clock, knocking: Knocking, patienceMsMax: number) {
    this.#clock = clock;
    this.#knocking = knocking;
    this.#patienceMsMax = patienceMsMax;
  }

  /** An acknowledgement came without delay: the line is good. */
  prompt(): void {
    this.#patienceMs = PATIENCE_MS;
  }

  /** While a session lasts. */
  async run(waiting: () => Waiting, giveUp: (error: EdgeError) => void, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#clock.sleep(LOOK_MS, signal);
      if (!this.#isSuspicious(waiting())) continue;
      const answer = await this.#knocking.untilAnswered(signal, this.#patienceMsMax);
      if (answer === undefined) continue;
      await this.#clock.sleep(Math.max(GRACE_MS_MIN, answer.tookMs * SLOWNESS), signal);
      const { silentMs } = waiting();
      if (signal.aborted || !this.#isSuspicious(waiting())) continue;
      this.#patienceMs = Math.min(this.#patienceMsMax, this.#patienceMs * 2);
      giveUp(
        new EdgeError(
          "UPLINK_LOST",
          `the hub answers on a new connection, and on this one nothing for ${Math.round(silentMs)} ms`,
          {
            hint: "The connection died without a word, as after a line that was away. What was under way is sent again.",
          },
        ),
      );
      return;
    }
  }

  #isSuspicious({ silentMs, expectedMs }: Waiting): boolean {
    return expectedMs !== undefined && silentMs > this.#patienceMs + expectedMs * SLOWNESS;
  }
}
