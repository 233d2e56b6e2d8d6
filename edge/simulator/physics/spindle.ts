import { approach, lag, Wander } from "./dynamics.ts";
import type { Random } from "./random.ts";

export interface SpindleDemand {
  readonly commandRpm: number;
  /** % of rated load that a sharp tool would need now; 0 in air. */
  readonly cutLoadPercent: number;
  readonly toolWear: number;
  readonly ambientDegC: number;
}

/** A motor spindle: speed follows the command, load warms it with minutes of lag, wear makes it shake and run hot. */
export class Spindle {
  speedRpm = 0;
  loadPercent = 0;
  temperatureDegC: number;
  motorTemperatureDegC: number;
  vibrationXMmPerS = 0.2;
  vibrationYMmPerS = 0.2;
  /** 0 (new) to 1 (seized). */
  bearingWear: number;
  revolutions: number;
  readonly speedRpmMax: number;
  readonly #naturalWear: number;
  readonly #chatter: Wander;
  readonly #shake: Wander;
  readonly #resonanceRpm: number;
  #burstS = 0;

  constructor(speedRpmMax: number, random: Random) {
    this.speedRpmMax = speedRpmMax;
    this.#naturalWear = random.between(0.01, 0.08);
    this.bearingWear = this.#naturalWear;
    this.temperatureDegC = random.between(33, 41);
    this.motorTemperatureDegC = random.between(38, 48);
    this.revolutions = Math.floor(random.between(6e9, 2.4e10));
    this.#resonanceRpm = speedRpmMax * random.between(0.42, 0.58);
    this.#chatter = new Wander(1.6, random);
    this.#shake = new Wander(0.8, random);
  }

  forceBearingWear(level: number | null): void {
    this.bearingWear = Math.max(this.#naturalWear, level ?? 0);
  }

  /** A tool breaks: a few seconds of hard shaking. */
  burst(durationS: number): void {
    this.#burstS = durationS;
  }

  step(dtS: number, demand: SpindleDemand): void {
    const before = this.speedRpm;
    this.speedRpm = approach(this.speedRpm, demand.commandRpm, dtS, this.speedRpmMax / 3);
    const speedShare = this.speedRpm / this.speedRpmMax;
    const acceleration = Math.max(0, this.speedRpm - before) / this.speedRpmMax / Math.max(dtS, 1e-3);
    const wearFactor = 1 + 0.45 * demand.toolWear ** 2;
    const cutting = demand.cutLoadPercent * wearFactor * (1 + 0.05 * this.#chatter.step(dtS));
    const turning = this.speedRpm < 1 ? 0 : 2 + 5 * speedShare + 12 * this.bearingWear * speedShare;
    this.loadPercent = Math.max(0, lag(this.loadPercent, turning + cutting + 60 * acceleration, dtS, 0.35));
    this.revolutions += (this.speedRpm / 60) * dtS;
    this.#warm(dtS, speedShare, demand.ambientDegC);
    this.#shakeStep(dtS, speedShare, demand);
  }

  #warm(dtS: number, speedShare: number, ambientDegC: number): void {
    const friction = 9 * speedShare * (1 + 4.5 * this.bearingWear);
    this.temperatureDegC = lag(this.temperatureDegC, ambientDegC + 5 + friction + 0.24 * this.loadPercent, dtS, 640);
    this.motorTemperatureDegC = lag(
      this.motorTemperatureDegC,
      ambientDegC + 8 + 6 * speedShare + 0.42 * this.loadPercent,
      dtS,
      380,
    );
  }

  #shakeStep(dtS: number, speedShare: number, demand: SpindleDemand): void {
    const distance = (this.speedRpm - this.#resonanceRpm) / (0.06 * this.speedRpmMax);
    const resonance = 0.35 * Math.exp(-distance * distance);
    const cut = (demand.cutLoadPercent / 100) * (0.9 + 2.1 * demand.toolWear ** 2);
    const bearing = 5.2 * this.bearingWear ** 1.4 * Math.sqrt(speedShare);
    const wobble = 1 + 0.07 * this.#shake.step(dtS);
    this.#burstS = Math.max(0, this.#burstS - dtS);
    const burst = this.#burstS > 0 ? 7.5 : 0;
    const level = 0.08 + 0.55 * speedShare ** 2 + resonance + burst;
    this.vibrationXMmPerS = lag(this.vibrationXMmPerS, (level + cut + bearing) * wobble, dtS, 0.5);
    this.vibrationYMmPerS = lag(this.vibrationYMmPerS, (0.85 * level + 1.2 * cut + 0.8 * bearing) * wobble, dtS, 0.5);
  }
}
