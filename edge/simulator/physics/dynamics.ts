import type { Random } from "./random.ts";

/** One step of a first-order lag; exact for any step length, so that a fast-forwarded factory stays stable. */
export function lag(value: number, target: number, dtS: number, timeConstantS: number): number {
  return target + (value - target) * Math.exp(-dtS / timeConstantS);
}

/** Moves towards the target at no more than the given rate per second. */
export function approach(value: number, target: number, dtS: number, ratePerS: number): number {
  const stepMax = ratePerS * dtS;
  return value + Math.max(-stepMax, Math.min(stepMax, target - value));
}

/** A slowly wandering quantity with mean 0 and standard deviation 1 (Ornstein and Uhlenbeck), for drafts, material, people. */
export class Wander {
  value: number;
  readonly #correlationS: number;
  readonly #random: Random;

  constructor(correlationS: number, random: Random) {
    this.#correlationS = correlationS;
    this.#random = random;
    this.value = random.normal();
  }

  step(dtS: number): number {
    const kept = Math.exp(-dtS / this.#correlationS);
    this.value = this.value * kept + Math.sqrt(1 - kept * kept) * this.#random.normal();
    return this.value;
  }
}

/** A triangle wave between -1 and 1 with period 4. */
export function triangle(phase: number): number {
  const turn = (((phase + 1) % 4) + 4) % 4;
  return turn < 2 ? turn - 1 : 3 - turn;
}
