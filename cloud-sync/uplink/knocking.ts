import { backoffMs } from "../../edge/kernel/backoff.ts";
import type { Clock } from "../../edge/kernel/clock.ts";
import type { HubConnector } from "./ports.ts";

/** So often it is knocked at the hub's address, so that the office sees data within seconds of the line's return. */
const KNOCK_MS = 1_000;
/** A knock that was not answered by then will not be. */
const KNOCK_MS_MAX = 10_000;
/** Knocks under way at once: all that have no answer yet. */
const KNOCKS_MAX = 10;

export interface Answer {
  /** How long the knock took that was answered: what the line needs for a few round trips. */
  readonly tookMs: number;
  /** A knock before it had no answer, so that the line has just come back. */
  readonly wasSilent: boolean;
}

/**
 * Finds out when the hub's address answers. What vanished in a black hole keeps nobody waiting: a new knock goes out though
 * those before have no answer yet.
 */
export class Knocking {
  readonly #connector: Pick<HubConnector, "probe">;
  readonly #clock: Clock;
  readonly #random: () => number;

  constructor(connector: Pick<HubConnector, "probe">, clock: Clock, random: () => number) {
    this.#connector = connector;
    this.#clock = clock;
    this.#random = random;
  }

  /** Resolves with the first answer; undefined on abort, or when there was none for `patienceMs`. */
  async untilAnswered(signal: AbortSignal, patienceMs = Number.POSITIVE_INFINITY): Promise<Answer | undefined> {
    const clock = this.#clock;
    const startMs = clock.monotonicMs();
    const over = new AbortController();
    const life = AbortSignal.any([signal, over.signal]);
    const answered = Promise.withResolvers<Answer>();
    let underWay = 0;
    let wasSilent = false;
    let answer: Answer | undefined;
    const knock = async (): Promise<void> => {
      underWay++;
      const knockedMs = clock.monotonicMs();
      if (await this.#knock(life)) answered.resolve({ tookMs: clock.monotonicMs() - knockedMs, wasSilent });
      else wasSilent = true;
      underWay--;
    };
    while (answer === undefined && !signal.aborted && clock.monotonicMs() - startMs < patienceMs) {
      if (underWay < KNOCKS_MAX) void knock();
      const pause = clock.sleep(backoffMs(0, { baseMs: KNOCK_MS, maxMs: KNOCK_MS, random: this.#random }), life);
      answer = await Promise.race([answered.promise, pause.then(() => undefined)]);
      if (underWay > 0) wasSilent = true;
    }
    over.abort();
    return answer;
  }

  async #knock(signal: AbortSignal): Promise<boolean> {
    const attempt = new AbortController();
    const life = AbortSignal.any([signal, attempt.signal]);
    try {
      const late = this.#clock.sleep(KNOCK_MS_MAX, life).then(() => false);
      return await Promise.race([this.#connector.probe(life), late]);
    } catch {
      return false;
    } finally {
      attempt.abort();
    }
  }
}
