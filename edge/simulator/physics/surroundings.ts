import { Wander } from "./dynamics.ts";
import type { Random } from "./random.ts";

/** What all machines of the shop share: air in the hall, air in the pipes. */
export interface Surroundings {
  readonly ambientDegC: number;
  readonly humidityPercent: number;
  /** Pressure of the shop's compressed air, made by the compressor. */
  readonly airPressureBar: number;
}

/** The condition that a fault forces on a machine: how far it has gone, 0 (none) to 1. */
export type Condition = "bearing-wear" | "tool-wear" | "coolant-leak";

/** The physics of one machine: pure, stepped from outside, no clock and no I/O. */
export interface MachinePhysics {
  step(dtS: number, surroundings: Surroundings): void;
  /** Sets a forced condition; null ends it, and the machine is repaired. */
  force(condition: Condition, level: number | null): void;
  readonly state: MachineState;
}

export type MachineState = "running" | "idle" | "setup" | "fault";

/** The hall's air: a day's swing and slow drafts (the lab's mean 22.6 °C, sd 1.1; humidity 20 %, sd 3.5). */
export class Hall {
  ambientDegC = 22.6;
  humidityPercent = 20;
  #elapsedS = 0;
  readonly #dayPhase: number;
  readonly #draft: Wander;
  readonly #moisture: Wander;

  constructor(random: Random) {
    this.#dayPhase = random.between(0, 2 * Math.PI);
    this.#draft = new Wander(2400, random);
    this.#moisture = new Wander(3600, random);
  }

  step(dtS: number): void {
    this.#elapsedS += dtS;
    const day = Math.sin((2 * Math.PI * this.#elapsedS) / 86_400 + this.#dayPhase);
    this.ambientDegC = 22.6 + 1.1 * day + 0.7 * this.#draft.step(dtS);
    this.humidityPercent = Math.max(5, 20 - 1.5 * day + 3.2 * this.#moisture.step(dtS));
  }
}
