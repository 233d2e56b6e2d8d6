import type { Logger } from "pino";
import type { Clock } from "../../../edge/kernel/clock.ts";

const CLIENTS_MAX = 1_000;
/** Whoever can connect can be refused under ever new names: the log must not grow as fast. */
const LINES_PER_MINUTE_MAX = 60;
const MINUTE_MS = 60_000;

/** Says that a client was refused when that begins or its reason changes, not at each of its attempts. */
export class RefusalLog {
  readonly #logger: Logger;
  readonly #clock: Clock;
  readonly #reasons = new Map<string, string>();
  #minuteBeganMs: number;
  #lines = 0;
  #untold = 0;

  constructor(logger: Logger, clock: Clock) {
    this.#logger = logger;
    this.#clock = clock;
    this.#minuteBeganMs = clock.monotonicMs();
  }

  refused(clientId: string, remote: string, reason: string): void {
    const client = clientId.slice(0, 260);
    if (this.#reasons.get(client) === reason) return;
    this.#reasons.delete(client);
    this.#reasons.set(client, reason);
    const [oldest] = this.#reasons.keys();
    if (this.#reasons.size > CLIENTS_MAX && oldest !== undefined) this.#reasons.delete(oldest);
    this.#turnMinute();
    if (this.#lines < LINES_PER_MINUTE_MAX) {
      this.#lines++;
      this.#logger.warn({ client, remote, reason }, "device refused");
    } else this.#untold++;
  }

  accepted(clientId: string): void {
    this.#reasons.delete(clientId);
  }

  #turnMinute(): void {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs - this.#minuteBeganMs < MINUTE_MS) return;
    if (this.#untold > 0) this.#logger.warn({ refusals: this.#untold }, "more devices refused");
    this.#minuteBeganMs = nowMs;
    this.#lines = 0;
    this.#untold = 0;
  }
}
