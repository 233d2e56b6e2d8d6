import type { Logger } from "pino";
import type { Clock } from "./clock.ts";
import { EdgeError, messageOf } from "./errors.ts";

/**
 * Logs a repeated failure when it begins, when it changes and when it ends, and counts in between. Numbers in a message
 * ("after 512 ms") don't make it another failure.
 */
export class FailureLog {
  readonly #logger: Logger;
  readonly #clock: Clock;
  readonly #subject: Readonly<Record<string, unknown>>;
  #current: { kind: string; count: number; sinceMs: number } | undefined;

  /** `subject` is added to every line: {component: "dashboard"}. */
  constructor(logger: Logger, clock: Clock, subject: Readonly<Record<string, unknown>>) {
    this.#logger = logger;
    this.#clock = clock;
    this.#subject = subject;
  }

  failed(error: unknown, facts: Readonly<Record<string, unknown>> = {}): void {
    const kind = kindOf(error);
    if (this.#current?.kind === kind) {
      this.#current.count++;
      return;
    }
    const message = this.#current === undefined ? "failed" : "fails differently";
    this.#current = { kind, count: 1, sinceMs: this.#current?.sinceMs ?? this.#clock.monotonicMs() };
    this.#logger.warn({ ...this.#subject, ...facts, err: error }, message);
  }

  /** Says so only after a failure. */
  recovered(facts: Readonly<Record<string, unknown>> = {}): void {
    if (this.#current === undefined) return;
    const { count, sinceMs } = this.#current;
    this.#current = undefined;
    const durationMs = Math.round(this.#clock.monotonicMs() - sinceMs);
    this.#logger.info({ ...this.#subject, ...facts, failures: count, durationMs }, "recovered");
  }
}

function kindOf(error: unknown): string {
  const name = error instanceof EdgeError ? error.code : error instanceof Error ? error.name : "thrown";
  return `${name}: ${messageOf(error).replaceAll(/\d+/g, "#")}`;
}
