import { backoffMs } from "../../edge/kernel/backoff.ts";
import type { Clock } from "../../edge/kernel/clock.ts";
import { EdgeError, type ErrorCode, messageOf } from "../../edge/kernel/errors.ts";
import type { FailureLog } from "../../edge/kernel/failure-log.ts";
import { restOfDayMs } from "./budget.ts";
import type { HubConnector, HubSession, UplinkStatus } from "./ports.ts";

/** While the hub is not reached: so often it is knocked at, so that the office sees data within seconds of the line's return. */
const PROBE_MS = 2_000;
/** An attempt that comes to nothing. */
const CONNECT_MS_MAX = 30_000;
const BACKOFF_BASE_MS = 1_000;
const BACKOFF_MS_MAX = 60_000;
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
    try {
      return await Promise.race([connecting, late]);
    } catch (error) {
      // One that comes about after all is not wanted any more.
      connecting.then(
        (session) => session[Symbol.asyncDispose](),
        () => undefined,
      );
      throw error;
    } finally {
      late.catch(() => undefined);
      attempt.abort();
    }
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
    await this.#knock(stepMs * random(), signal);
  }

  /**
   * Waits until the hub's address answers again. One that answers all along and yet gives no session is left alone for the
   * time of the backoff.
   */
  async #knock(atLeastMs: number, signal: AbortSignal): Promise<void> {
    const { clock, random } = this.#options;
    const startMs = clock.monotonicMs();
    let wasSilent = false;
    while (!signal.aborted) {
      const answers = await this.#probe(signal);
      if (answers && (wasSilent || clock.monotonicMs() - startMs >= atLeastMs)) return;
      wasSilent ||= !answers;
      const leftMs = answers ? atLeastMs - (clock.monotonicMs() - startMs) : Number.POSITIVE_INFINITY;
      await clock.sleep(
        Math.min(Math.max(1, leftMs), backoffMs(0, { baseMs: PROBE_MS, maxMs: PROBE_MS, random })),
        signal,
      );
    }
  }

  async #probe(signal: AbortSignal): Promise<boolean> {
    const { connector, clock } = this.#options;
    const attempt = new AbortController();
    const give = AbortSignal.any([signal, attempt.signal]);
    try {
      return await Promise.race([connector.probe(give), clock.sleep(PROBE_MS, give).then(() => false)]);
    } catch {
      return false;
    } finally {
      attempt.abort();
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
