import type { Clock } from "../kernel/clock.ts";

/** A difference smaller than this is a clock that is being slewed, or a process that was slow. */
const JUMP_MS_MIN = 2_000;

export interface ClockJump {
  /** What the clock said last, before the jump. */
  readonly fromMs: number;
  /** What it says now. */
  readonly toMs: number;
  /** How far it jumped, beyond the time that passed; negative: back. */
  readonly jumpMs: number;
  /** "restart" when nobody was running to measure how much time had passed: then only a jump back is certain. */
  readonly when: "running" | "restart";
}

/** Compares the wall clock with the monotonic one, so that a jump of the former is seen. */
export class ClockWatch {
  readonly #clock: Clock;
  #wallMs: number;
  #monotonicMs: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#wallMs = clock.nowMs();
    this.#monotonicMs = clock.monotonicMs();
  }

  /** The jump since the last call, if there was one. */
  look(): ClockJump | undefined {
    const fromMs = this.#wallMs;
    const passedMs = this.#clock.monotonicMs() - this.#monotonicMs;
    this.#wallMs = this.#clock.nowMs();
    this.#monotonicMs += passedMs;
    const jumpMs = this.#wallMs - fromMs - passedMs;
    if (Math.abs(jumpMs) < JUMP_MS_MIN) return undefined;
    return { fromMs, toMs: this.#wallMs, jumpMs, when: "running" };
  }
}

/** A clock that stands before what the log saw last has gone back while nobody ran (a box without a battery clock). */
export function jumpAtStart(clock: Clock, newestAppendedMs: number): ClockJump | undefined {
  const nowMs = clock.nowMs();
  const jumpMs = nowMs - newestAppendedMs;
  if (jumpMs > -JUMP_MS_MIN) return undefined;
  return { fromMs: newestAppendedMs, toMs: nowMs, jumpMs, when: "restart" };
}
