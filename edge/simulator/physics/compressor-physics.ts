import { approach, lag, Wander } from "./dynamics.ts";
import { Random } from "./random.ts";
import type { Condition, MachinePhysics, MachineState, Surroundings } from "./surroundings.ts";

/** A screw compressor between load and idle: fills the tank to 7.6 bar, waits until the shop has used it down to 6.9. */
export class CompressorPhysics implements MachinePhysics {
  pressureBar: number;
  isLoaded = true;
  speedRpm = 2950;
  oilTemperatureDegC: number;
  currentA = 60;
  powerKw = 30;
  energyKwh: number;
  vibrationMmPerS = 1.4;
  dewPointDegC = -21;
  filterDropBar: number;
  loadedTimeS: number;
  alarms = 0;
  readonly #demand: Wander;
  readonly #shake: Wander;
  #bearingWear = 0.04;

  constructor(seed: number) {
    const random = new Random(seed);
    this.pressureBar = random.between(6.95, 7.5);
    this.oilTemperatureDegC = random.between(74, 80);
    this.energyKwh = random.between(200_000, 400_000);
    this.filterDropBar = random.between(0.12, 0.3);
    this.loadedTimeS = random.integerBetween(30_000_000, 80_000_000);
    this.#demand = new Wander(120, random);
    this.#shake = new Wander(1, random);
  }

  get state(): MachineState {
    return this.isLoaded ? "running" : "idle";
  }

  force(condition: Condition, level: number | null): void {
    if (condition === "bearing-wear") this.#bearingWear = Math.max(0.04, level ?? 0);
  }

  step(dtS: number, surroundings: Surroundings): void {
    if (this.pressureBar < 6.9) this.isLoaded = true;
    if (this.pressureBar > 7.6) this.isLoaded = false;
    const usedBarPerS = 0.0085 * Math.max(0.2, 1 + 0.35 * this.#demand.step(dtS));
    this.pressureBar += ((this.isLoaded ? 0.019 : 0) - usedBarPerS) * dtS;
    this.pressureBar = Math.min(8, Math.max(5.5, this.pressureBar));
    this.speedRpm = approach(this.speedRpm, this.isLoaded ? 2950 : 1480, dtS, 400);
    const speedShare = this.speedRpm / 2950;
    const target = surroundings.ambientDegC + (this.isLoaded ? 59 : 44) + 22 * this.#bearingWear;
    this.oilTemperatureDegC = lag(this.oilTemperatureDegC, target, dtS, 420);
    this.powerKw = lag(
      this.powerKw,
      (this.isLoaded ? 29 : 9.5) * (1 + 0.12 * this.#bearingWear) * speedShare,
      dtS,
      1.5,
    );
    this.currentA = this.powerKw * 1.72;
    this.energyKwh += (this.powerKw * dtS) / 3600;
    const shake = (0.6 + 0.8 * speedShare + 5.5 * this.#bearingWear ** 1.3) * (1 + 0.05 * this.#shake.step(dtS));
    this.vibrationMmPerS = lag(this.vibrationMmPerS, shake, dtS, 0.6);
    this.dewPointDegC = lag(this.dewPointDegC, -24 + 0.14 * surroundings.humidityPercent, dtS, 900);
    this.filterDropBar += 2e-9 * dtS;
    if (this.isLoaded) this.loadedTimeS += dtS;
    this.alarms = (this.oilTemperatureDegC > 100 ? 1 : 0) | (this.vibrationMmPerS > 4.5 ? 2 : 0);
  }
}
