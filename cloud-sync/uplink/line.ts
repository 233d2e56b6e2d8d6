import type { Clock } from "../../edge/kernel/clock.ts";
import { EdgeError, type ErrorCode, messageOf } from "../../edge/kernel/errors.ts";
import type { FailureLog } from "../../edge/kernel/failure-log.ts";
import { restOfDayMs } from "./budget.ts";
import type { Knocking } from "./knocking.ts";
import type { HubConnector, HubSession, UplinkStatus } from "./ports.ts";

/** An attempt that comes to nothing. */
const CONNECT_MS_MAX = 30_000;
/**
 * An attempt that is still under way after this time is given up as soon as the hub answers others; each time that was in
 * vain the next one has twice as long.
 */
const RIVAL_MS = 3_000;
/** What an attempt needs at most of what a knock has taken, which is some of the same round trips. */
const ROUND_TRIPS = 4;
const BACKOFF_BASE_MS = 1_000;
const BACKOFF_MS_MAX = 60_000;
/** While nobody refuses anything and there is no line: the factory's data must not wait behind its return. */
const UNREACHABLE_MS_MAX = 2_000;
/** Without an answer for so long, an attempt is made anyway: it tells anew what is wrong. */
const KNOCKING_MS_MAX = 60_000;
const KNOCK_AGAIN_MS = 2_000;
/** Behind midnight UTC, spread, when the hub's day is used up. */
const QUOTA_JITTER_MS = 60_000;
/** A session that held for so long was a good one: attempts count from anew. */
const GOOD_SESSION_MS = 10_000;

/** The hub answers, and does not let us in: no knocking helps. */
const REFUSALS: ReadonlySet<ErrorCode> = new Set([
  "UPLINK_CERTIFICATE",
  "UPLINK_IDENTITY",
  "UPLINK_CLOCK",
  "UPLINK_THROTTLED",
  "UPLINK_QUOTA",
  "UPLINK_CONFIG",
]);

export interface LineOptions {
  readonly connector: HubConnector;
  readonly knocking: Knocking;
  readonly clock: Clock;
  readonly failures: FailureLog;
  /** 0..1 */
  readonly random: () => number;
  /** Something about the line has changed. */
  readonly changed: () => void;
}

/** The line to the hub: one attempt at a time, for as long as it takes. */
export class Line {
  readonly #options: LineOptions;
  #state: UplinkStatus["state"] = "connecting";
  /** The last one that was no attempt. */
  #outcome: UplinkStatus["state"] | "none" = "none";
  #sinceMs: number;
  #lastError: UplinkStatus["lastError"] = null;
  #failed = 0;
  #openedMs = 0;
  #rivalMs = RIVAL_MS;

  constructor(options: LineOptions) {
    this.#options = options;
    this.#sinceMs = options.clock.nowMs();
  }

  get state(): UplinkStatus["state"] {
    return this.#state;
  }

  /** Since when the line is up, or down: attempts in between are not told apart. */
  get sinceMs(): number {
    return this.#sinceMs;
  }

  get lastError(): UplinkStatus["lastError"] {
    return this.#lastError;
  }

  /** Resolves with a session, whatever it takes; undefined on abort. */
  async open(signal: AbortSignal): Promise<HubSession | undefined> {
    while (!signal.aborted) {
      this.#become("connecting");
      try {
        const session = await this.#attempt(signal);
        this.#openedMs = this.#options.clock.monotonicMs();
        this.#rivalMs = RIVAL_MS;
        this.#become("connected");
        this.#options.failures.recovered();
        return session;
      } catch (cause) {
        if (signal.aborted) return undefined;
        await this.#wait(this.#fail(cause), signal);
      }
    }
    return undefined;
  }

  /**
   * The session is lost, or was given up; waits before the next attempt when it did not last.
   * @param hasPassed something was acknowledged in it
   */
  async lost(error: EdgeError, hasPassed: boolean, signal: AbortSignal): Promise<void> {
    const lastedMs = this.#options.clock.monotonicMs() - this.#openedMs;
    const isGood = lastedMs >= GOOD_SESSION_MS;
    if (isGood || hasPassed) this.#failed = 0;
    const known = this.#fail(error);
    if (known.code === "UPLINK_QUOTA" || !isGood) await this.#wait(known, signal);
    else await this.#knock(0, signal);
  }

  stop(): void {
    this.#become("stopped");
  }

  async #attempt(signal: AbortSignal): Promise<HubSession> {
    const { connector, clock } = this.#options;
    const attempt = new AbortController();
    const give = AbortSignal.any([signal, attempt.signal]);
    const late = clock.sleep(CONNECT_MS_MAX, give).then((): never => {
      const reason = signal.aborted ? "stopped" : `no connection within ${CONNECT_MS_MAX} ms`;
      throw new EdgeError("UPLINK_UNREACHABLE", reason, { hint: "Check the line and the hub's address." });
    });
    const connecting = connector.connect(give);
    const rival = this.#rival(give);
    try {
      return await Promise.race([connecting, late, rival]);
    } catch (error) {
      // One that comes about after all is not wanted any more.
      connecting.then(
        (session) => session[Symbol.asyncDispose](),
        () => undefined,
      );
      throw error;
    } finally {
      late.catch(() => undefined);
      rival.catch(() => undefined);
      attempt.abort();
    }
  }

  /** Rejects when the hub answers a knock, and the attempt still has nothing: it began in a black hole. */
  async #rival(signal: AbortSignal): Promise<never> {
    const { clock, knocking } = this.#options;
    await clock.sleep(this.#rivalMs, signal);
    const answer = await knocking.untilAnswered(signal);
    await clock.sleep(Math.max(RIVAL_MS / 3, (answer?.tookMs ?? 0) * ROUND_TRIPS), signal);
    if (!signal.aborted) this.#rivalMs = Math.min(CONNECT_MS_MAX, this.#rivalMs * 2);
    throw new EdgeError(
      "UPLINK_UNREACHABLE",
      "the hub answers on a new connection, and not on the one that was begun",
      {
        hint: "The line was away while the connection was made; it is made again. If it lasts, look at the hub.",
      },
    );
  }

  #fail(cause: unknown): EdgeError {
    const { clock, failures } = this.#options;
    const error =
      cause instanceof EdgeError
        ? cause
        : new EdgeError("UPLINK_UNREACHABLE", messageOf(cause), {
            cause,
            hint: "Check the line and the hub's address.",
          });
    this.#failed++;
    const { code, message, hint = "" } = error;
    this.#lastError = { code, message, hint, atMs: clock.nowMs() };
    failures.failed(error, { hint });
    this.#become(REFUSALS.has(code) ? "refused" : "waiting");
    return error;
  }

  async #wait({ code }: EdgeError, signal: AbortSignal): Promise<void> {
    const { clock, random } = this.#options;
    if (code === "UPLINK_QUOTA") {
      await clock.sleep(restOfDayMs(clock.nowMs()) + random() * QUOTA_JITTER_MS, signal);
      return;
    }
    const stepMs = Math.min(BACKOFF_MS_MAX, BACKOFF_BASE_MS * 2 ** Math.min(this.#failed - 1, 10));
    if (REFUSALS.has(code)) {
      await clock.sleep(random() * stepMs, signal);
      return;
    }
    const atMostMs = code === "UPLINK_UNREACHABLE" ? UNREACHABLE_MS_MAX : BACKOFF_MS_MAX;
    await this.#knock(Math.min(atMostMs, stepMs) * random(), signal);
  }

  /**
   * Waits until the hub's address answers again. One that answers all along and yet gives no session is left alone for
   * `atLeastMs`.
   */
  async #knock(atLeastMs: number, signal: AbortSignal): Promise<void> {
    const { clock, knocking } = this.#options;
    const startMs = clock.monotonicMs();
    while (!signal.aborted) {
      const answer = await knocking.untilAnswered(signal, KNOCKING_MS_MAX);
      const leftMs = atLeastMs - (clock.monotonicMs() - startMs);
      if (answer === undefined || answer.wasSilent || leftMs <= 0) return;
      await clock.sleep(Math.min(leftMs, KNOCK_AGAIN_MS), signal);
    }
  }

  #become(state: UplinkStatus["state"]): void {
    if (state === this.#state) return;
    // Attempts in between are no change: since when the line is down, or refused, holds over them.
    if (state !== "connecting" && state !== this.#outcome) {
      if (!(state === "waiting" && this.#outcome === "none")) this.#sinceMs = this.#options.clock.nowMs();
      this.#outcome = state;
    }
    this.#state = state;
    this.#options.changed();
  }
}
