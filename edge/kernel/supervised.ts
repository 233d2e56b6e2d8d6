import type { Logger } from "pino";
import { type BackoffOptions, backoffMs } from "./backoff.ts";
import type { Clock } from "./clock.ts";
import type { Component } from "./component.ts";
import { EdgeError, messageOf } from "./errors.ts";
import { FailureLog } from "./failure-log.ts";

export type ComponentState = "starting" | "running" | "backoff" | "stopped" | "failed";

export interface ComponentStatus {
  readonly name: string;
  readonly state: ComponentState;
  /** How often it was started again. */
  readonly restarts: number;
  /** The newest failure; it stays after a recovery, with the instant. */
  readonly lastError: {
    readonly code: string | null;
    readonly message: string;
    readonly hint: string | null;
    /** UTC epoch ms. */
    readonly atMs: number;
  } | null;
}

export interface RestartPolicy {
  readonly backoff: BackoffOptions;
  /** Ready for so long, a component counts as recovered and its backoff begins anew. */
  readonly healthyAfterMs: number;
}

/** One component and its restarts. */
export class Supervised {
  readonly component: Component;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #policy: RestartPolicy;
  readonly #failures: FailureLog;
  readonly #controller = new AbortController();
  #state: ComponentState = "starting";
  #restarts = 0;
  #attempt = 0;
  #lastError: ComponentStatus["lastError"] = null;
  #ended: Promise<EdgeError | undefined> | undefined;

  constructor(component: Component, clock: Clock, logger: Logger, policy: RestartPolicy) {
    this.component = component;
    this.#clock = clock;
    this.#logger = logger;
    this.#policy = policy;
    this.#failures = new FailureLog(logger, clock, { component: component.name });
  }

  status(): ComponentStatus {
    return { name: this.component.name, state: this.#state, restarts: this.#restarts, lastError: this.#lastError };
  }

  /** Starts it; resolves when it ended for good, with the error when that was why. Never rejects. */
  start(): Promise<EdgeError | undefined> {
    this.#ended ??= this.#runUntilEnd();
    return this.#ended;
  }

  /** Asks it to end; `ended` tells when it has. One that never started is stopped at once. */
  abort(): void {
    this.#controller.abort();
    if (this.#ended === undefined) this.#state = "stopped";
  }

  get ended(): Promise<unknown> {
    return this.#ended ?? Promise.resolve();
  }

  async #runUntilEnd(): Promise<EdgeError | undefined> {
    const { signal } = this.#controller;
    while (!signal.aborted) {
      this.#state = "starting";
      const ended = await this.#runOnce(signal);
      if (ended.reason === "resolved" || signal.aborted) break;
      if (ended.error instanceof EdgeError && ended.error.retry === "never") {
        this.#state = "failed";
        return ended.error;
      }
      this.#state = "backoff";
      await this.#clock.sleep(backoffMs(this.#attempt++, this.#policy.backoff), signal);
      if (!signal.aborted) this.#restarts++;
    }
    this.#state = "stopped";
    return undefined;
  }

  async #runOnce(signal: AbortSignal): Promise<{ reason: "resolved" } | { reason: "rejected"; error: unknown }> {
    const attempt = new AbortController();
    const ready = (): void => {
      if (attempt.signal.aborted || this.#state !== "starting") return;
      this.#state = "running";
      void this.#settle(attempt.signal);
    };
    try {
      await this.component.run(signal, ready);
      if (!signal.aborted) this.#logger.info({ component: this.component.name }, "ended by itself");
      return { reason: "resolved" };
    } catch (error) {
      if (signal.aborted) {
        this.#logger.warn({ component: this.component.name, err: error }, "failed while it ended");
      } else {
        this.#note(error);
      }
      return { reason: "rejected", error };
    } finally {
      attempt.abort();
    }
  }

  /** A recovery is announced when it has lasted, for a component that comes and goes would fill the log. */
  async #settle(attemptEnded: AbortSignal): Promise<void> {
    await this.#clock.sleep(this.#policy.healthyAfterMs, attemptEnded);
    if (attemptEnded.aborted) return;
    this.#attempt = 0;
    this.#failures.recovered({ restarts: this.#restarts });
  }

  #note(error: unknown): void {
    const isOurs = error instanceof EdgeError;
    this.#lastError = {
      code: isOurs ? error.code : null,
      message: messageOf(error),
      hint: isOurs ? (error.hint ?? null) : null,
      atMs: this.#clock.nowMs(),
    };
    this.#failures.failed(error, { restarts: this.#restarts });
  }
}
