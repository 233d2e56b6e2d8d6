import type { Clock } from "../../edge/kernel/clock.ts";
import { BODY_BYTES_MAX } from "./limits.ts";

/** A backlog's frame takes no longer than this on a limited line, so that what is fresh is never far behind it. */
const FRAME_S = 1;
const FRAME_BYTES_MIN = 8 * 1024;
/** What is fresh may be so far ahead of the rate before it waits, too. */
const FRESH_DEBT_S = 2;
/** What was not used is not saved up for longer. */
const BURST_S = 1;
/** Messages a second while a hub throttles: halved each time, and so many more each second without. */
const MESSAGES_MAX = 1_000;
const MESSAGES_MIN = 0.2;
const MESSAGES_PER_STEP = 0.5;
const STEP_MS = 1_000;
const WAIT_MS_MIN = 1;
/** Waits are cut so that a rate that is raised meanwhile counts soon. */
const WAIT_MS_MAX = 500;

/**
 * How fast telemetry goes: a token bucket of bytes, and of messages while the hub throttles. What is fresh goes before a
 * backlog; priority never waits, but is counted.
 */
export class Pace {
  readonly #clock: Clock;
  #bytesPerSecond: number | undefined;
  #tokens = 0;
  #filledMs: number;
  #messagesPerSecond = MESSAGES_MAX;
  #nextMessageMs = 0;
  #steppedMs: number;

  constructor(clock: Clock, bytesPerSecond: number | undefined) {
    this.#clock = clock;
    this.#bytesPerSecond = bytesPerSecond;
    this.#filledMs = clock.monotonicMs();
    this.#steppedMs = this.#filledMs;
  }

  /** undefined: no limit. */
  get bytesPerSecond(): number | undefined {
    return this.#bytesPerSecond;
  }

  set bytesPerSecond(bytesPerSecond: number | undefined) {
    if (bytesPerSecond === this.#bytesPerSecond) return;
    this.#fill();
    this.#bytesPerSecond = bytesPerSecond;
    this.#tokens = Math.min(this.#tokens, 0);
    if (bytesPerSecond === undefined) this.#tokens = 0;
  }

  /** How large a body of a backlog may be on this line. */
  get backlogBodyBytesMax(): number {
    if (this.#bytesPerSecond === undefined) return BODY_BYTES_MAX;
    return Math.max(FRAME_BYTES_MIN, Math.min(BODY_BYTES_MAX, Math.floor(this.#bytesPerSecond * FRAME_S)));
  }

  #fill(): void {
    const nowMs = this.#clock.monotonicMs();
    const rate = this.#bytesPerSecond;
    if (rate !== undefined) {
      this.#tokens = Math.min(rate * BURST_S, this.#tokens + (rate * (nowMs - this.#filledMs)) / 1_000);
    }
    this.#filledMs = nowMs;
    const steps = Math.floor((nowMs - this.#steppedMs) / STEP_MS);
    this.#steppedMs += steps * STEP_MS;
    this.#messagesPerSecond = Math.min(MESSAGES_MAX, this.#messagesPerSecond + steps * MESSAGES_PER_STEP);
  }

  /** Waits until so many bytes may go, and takes them; false on abort. */
  async take(bytes: number, kind: "fresh" | "backlog", signal: AbortSignal): Promise<boolean> {
    while (!signal.aborted) {
      const waitMs = this.#waitMs(kind);
      if (waitMs <= 0) {
        this.charge(bytes);
        if (this.#messagesPerSecond < MESSAGES_MAX)
          this.#nextMessageMs = this.#clock.monotonicMs() + 1_000 / this.#messagesPerSecond;
        return true;
      }
      await this.#clock.sleep(Math.min(WAIT_MS_MAX, Math.max(WAIT_MS_MIN, waitMs)), signal);
    }
    return false;
  }

  #waitMs(kind: "fresh" | "backlog"): number {
    this.#fill();
    const throttledMs = this.#nextMessageMs - this.#clock.monotonicMs();
    const rate = this.#bytesPerSecond;
    if (rate === undefined) return throttledMs;
    const debtMax = kind === "fresh" ? rate * FRESH_DEBT_S : 0;
    return Math.max(throttledMs, ((-this.#tokens - debtMax) / rate) * 1_000);
  }

  /** Takes bytes at once, for what does not wait. */
  charge(bytes: number): void {
    this.#fill();
    if (this.#bytesPerSecond !== undefined) this.#tokens -= bytes;
  }

  /** The hub asked for less. */
  throttled(): void {
    this.#fill();
    const halved = this.#messagesPerSecond === MESSAGES_MAX ? 10 : this.#messagesPerSecond / 2;
    this.#messagesPerSecond = Math.max(MESSAGES_MIN, halved);
    this.#nextMessageMs = this.#clock.monotonicMs() + 1_000 / this.#messagesPerSecond;
  }
}
