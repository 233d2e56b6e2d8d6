import { lag, Wander } from "./dynamics.ts";
import { Random } from "./random.ts";
import type { Condition, MachinePhysics, MachineState, Surroundings } from "./surroundings.ts";

/**
 * A hydraulic stamping press. At work its values lie where the lab's simulated sensor has them (temperature 55 °C, sd 2.4;
 * pressure 7539 psi, sd 14; electricity 29.36 %, sd 1.1), but they move as a machine's do: slowly, and together.
 */
export class PressPhysics implements MachinePhysics {
  state: MachineState = "running";
  temperatureDegC: number;
  pressurePsi = 7539;
  electricityPercent = 29.36;
  ambientDegC = 22.6;
  humidityPercent = 20;
  strokes: number;
  strokeRateHz = 0.6;
  /** 0 (new) to 1 (cracked). */
  dieWear: number;
  runTimeS: number;
  energyKwh: number;
  alarms = 0;
  readonly #random: Random;
  readonly #work: Wander;
  readonly #valve: Wander;
  readonly #grid: Wander;
  readonly #dieLifeS: number;
  #forcedWear = 0;
  #remainingS: number;
  #strokeShare = 0;

  constructor(seed: number) {
    const random = new Random(seed);
    this.#random = random;
    this.#work = new Wander(900, random);
    this.#valve = new Wander(6, random);
    this.#grid = new Wander(3, random);
    this.temperatureDegC = 55 + 2.3 * this.#work.value;
    this.strokes = random.integerBetween(800_000, 4_200_000);
    this.dieWear = random.between(0.05, 0.6);
    this.#dieLifeS = random.between(60, 120) * 3600;
    this.runTimeS = random.integerBetween(20_000_000, 60_000_000);
    this.energyKwh = random.between(40_000, 160_000);
    this.#remainingS = random.between(1200, 5400);
  }

  get wear(): number {
    return Math.max(this.dieWear, this.#forcedWear);
  }

  force(condition: Condition, level: number | null): void {
    if (condition !== "tool-wear") return;
    if (level === null) {
      if (this.#forcedWear < 1) this.#forcedWear = 0; // what has worn through still breaks in the next stroke
      return;
    }
    const isNew = this.#forcedWear === 0 && level > 0;
    this.#forcedWear = level;
    if (isNew && (this.state === "idle" || this.state === "setup")) this.#remainingS = Math.min(this.#remainingS, 4);
  }

  step(dtS: number, surroundings: Surroundings): void {
    this.ambientDegC = surroundings.ambientDegC;
    this.humidityPercent = surroundings.humidityPercent;
    this.#stepState(dtS);
    const isRunning = this.state === "running";
    const wear = this.wear;
    const work = this.#work.step(dtS);
    this.strokeRateHz = lag(this.strokeRateHz, isRunning ? 0.6 + 0.03 * work : 0, dtS, 1.5);
    this.#strokeShare += this.strokeRateHz * dtS;
    this.strokes += Math.floor(this.#strokeShare);
    this.#strokeShare %= 1;
    const target = isRunning ? 55 + 2.3 * work + 6 * wear ** 3 : surroundings.ambientDegC + 14;
    this.temperatureDegC = lag(this.temperatureDegC, target, dtS, isRunning ? 240 : 2400);
    this.pressurePsi = 7539 + 9 * this.#valve.step(dtS) + 10 * work + 38 * wear ** 3;
    const electricity = isRunning ? 29.36 + 0.6 * work + 0.9 * this.#grid.step(dtS) + 5 * wear ** 3 : 6.4;
    this.electricityPercent = lag(this.electricityPercent, electricity, dtS, 0.8);
    this.energyKwh += ((this.electricityPercent / 100) * 160 * dtS) / 3600;
    if (isRunning) {
      this.runTimeS += dtS;
      this.dieWear = Math.min(0.97, this.dieWear + dtS / this.#dieLifeS);
    }
    this.alarms = (wear > 0.9 ? 1 : 0) | (this.state === "fault" ? 2 : 0) | (this.temperatureDegC > 70 ? 4 : 0);
  }

  #stepState(dtS: number): void {
    this.#remainingS -= dtS;
    if (this.state === "running" && this.#forcedWear >= 1) {
      this.state = "fault";
      this.#forcedWear = 0;
      this.dieWear = 0;
      this.#remainingS = this.#random.between(90, 180);
    } else if (this.#remainingS <= 0) {
      const wasRunning = this.state === "running";
      if (wasRunning && this.dieWear > 0.9) this.dieWear = 0;
      this.state = wasRunning ? this.#random.pick(["idle", "setup"]) : this.state === "fault" ? "setup" : "running";
      this.#remainingS = this.state === "running" ? this.#random.between(2400, 5400) : this.#random.between(60, 300);
    }
  }
}
