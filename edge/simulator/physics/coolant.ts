import { lag } from "./dynamics.ts";
import type { Random } from "./random.ts";

/** Below this level the pump draws air, and the control stops the machine. */
export const COOLANT_LEVEL_MIN_PERCENT = 8;

/** Tank, pump and chiller: carries the spindle's heat away, loses a little by evaporation, all of it by a leak. */
export class Coolant {
  flowLPerMin = 0;
  pressureBar = 0;
  temperatureDegC: number;
  levelPercent: number;
  #chillerOn = false;
  #leak = 0;
  #levelAtLeak = 0;

  constructor(random: Random) {
    this.temperatureDegC = random.between(22, 25);
    this.levelPercent = random.between(68, 96);
  }

  /** A leak that takes the tank from where it is to empty as the level goes from 0 to 1; null: mended and filled up. */
  forceLeak(level: number | null): void {
    if (level === null) {
      if (this.#leak > 0) this.levelPercent = 95;
      this.#leak = 0;
      return;
    }
    if (this.#leak === 0) this.#levelAtLeak = this.levelPercent;
    this.#leak = Math.max(level, 1e-6);
    this.levelPercent = Math.min(this.levelPercent, this.#levelAtLeak * (1 - this.#leak));
  }

  refill(): void {
    if (this.#leak === 0 && this.levelPercent < 70) this.levelPercent = 95;
  }

  step(dtS: number, isPumping: boolean, heatPercent: number, ambientDegC: number): void {
    // A pump loses flow only when the suction begins to draw air; a leak also takes from the line itself.
    const suction = Math.min(1, Math.max(0, (this.levelPercent - 4) / 22)) * (1 - 0.25 * Math.min(1, this.#leak * 3));
    this.flowLPerMin = lag(this.flowLPerMin, isPumping ? 22 * suction : 0, dtS, 1.2);
    this.pressureBar = lag(this.pressureBar, isPumping ? 6.2 * suction : 0, dtS, 0.8);
    this.levelPercent = Math.max(0, this.levelPercent - (isPumping ? 0.9 : 0.1) * (dtS / 3600));
    if (this.temperatureDegC > 26.5) this.#chillerOn = true;
    if (this.temperatureDegC < 23.5) this.#chillerOn = false;
    // Less fluid warms faster: the time constant shrinks with the level.
    const timeConstantS = 300 + 12 * this.levelPercent;
    const target = ambientDegC + 0.17 * heatPercent * (2.2 - this.levelPercent / 83) - (this.#chillerOn ? 7 : 0);
    this.temperatureDegC = lag(this.temperatureDegC, target, dtS, timeConstantS);
  }
}
