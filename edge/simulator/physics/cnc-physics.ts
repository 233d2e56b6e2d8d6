import { Axes } from "./axes.ts";
import { CncCycle } from "./cnc-cycle.ts";
import { COOLANT_LEVEL_MIN_PERCENT, Coolant } from "./coolant.ts";
import { lag } from "./dynamics.ts";
import { LATHE_PROGRAMS, MILL_PROGRAMS } from "./part-program.ts";
import { Random } from "./random.ts";
import { Spindle } from "./spindle.ts";
import type { Condition, MachinePhysics, MachineState, Surroundings } from "./surroundings.ts";
import { ToolMagazine } from "./tool-magazine.ts";

export type CncKind = "mill" | "lathe";

/** Bits of the signal `alarms`. */
export const CncAlarm = {
  coolantLow: 0x01,
  coolantHot: 0x02,
  spindleOverload: 0x04,
  toolWorn: 0x08,
  toolBroken: 0x10,
  hydraulicsLow: 0x20,
  vibrationHigh: 0x40,
} as const;

const RATED_KW = { mill: 18.5, lathe: 22 } as const;
const SPEED_RPM_MAX = { mill: 12_000, lathe: 4_000 } as const;
export const AXES_BY_KIND = { mill: ["X", "Y", "Z", "A", "C"], lathe: ["X", "Z", "C"] } as const;

/** A CNC mill or lathe at work. Everything that a sensor shows follows from the program, the tool and the machine's wear. */
export class CncPhysics implements MachinePhysics {
  readonly kind: CncKind;
  readonly cycle: CncCycle;
  readonly tools: ToolMagazine;
  readonly spindle: Spindle;
  readonly axes: Axes;
  readonly coolant: Coolant;
  feedRateMmPerMin = 0;
  feedOverridePercent = 100;
  hydraulicPressureBar = 61;
  lubricationPressureBar = 18;
  chuckPressureBar = 0;
  airPressureBar = 7;
  cabinetTemperatureDegC: number;
  powerKw = 1;
  energyKwh: number;
  partCount: number;
  scrapCount: number;
  runTimeS: number;
  powerOnTimeS: number;
  barRemainingMm = 2800;
  alarms = 0;
  readonly #random: Random;
  readonly #forced = new Set<Condition>();
  #hydraulicPumpOn = false;
  #overrideInS = 600;
  #brokenForS = 0;

  constructor(kind: CncKind, seed: number) {
    const random = new Random(seed);
    this.kind = kind;
    this.#random = random;
    this.tools = new ToolMagazine(random);
    this.spindle = new Spindle(SPEED_RPM_MAX[kind], random);
    this.axes = new Axes(AXES_BY_KIND[kind], random);
    this.coolant = new Coolant(random);
    this.cabinetTemperatureDegC = random.between(29, 34);
    this.energyKwh = random.between(20_000, 90_000);
    this.partCount = random.integerBetween(12_000, 180_000);
    this.scrapCount = Math.floor(this.partCount * random.between(0.006, 0.012));
    this.powerOnTimeS = random.integerBetween(30_000_000, 90_000_000);
    this.runTimeS = Math.floor(this.powerOnTimeS * random.between(0.45, 0.7));
    this.cycle = new CncCycle(kind === "mill" ? MILL_PROGRAMS : LATHE_PROGRAMS, random, {
      onToolChange: (tool) => this.tools.change(tool),
      onPart: (isGood) => this.#countPart(isGood),
    });
  }

  get state(): MachineState {
    return this.cycle.state;
  }

  get goodCount(): number {
    return this.partCount - this.scrapCount;
  }

  get isDoorOpen(): boolean {
    return this.cycle.phase === "loading" || this.cycle.phase === "setup";
  }

  force(condition: Condition, level: number | null): void {
    if (level === null) this.#forced.delete(condition);
    else if (!this.#forced.has(condition)) {
      this.#forced.add(condition);
      this.cycle.hurry();
    }
    if (condition === "bearing-wear") this.spindle.forceBearingWear(level);
    if (condition === "coolant-leak") this.coolant.forceLeak(level);
    if (condition === "tool-wear") this.tools.force(level);
  }

  step(dtS: number, surroundings: Surroundings): void {
    const wear = this.tools.wear;
    this.cycle.step(dtS, wear > 0.93 ? 0.3 : 0);
    const { phase, operation } = this.cycle;
    const isCutting = phase === "cutting";
    const isTurning = isCutting || phase === "approach";
    if (isCutting) this.#cut(dtS);
    const cutLoad = isCutting ? operation.cutLoadPercent : 0;
    this.spindle.step(dtS, {
      commandRpm: isTurning ? operation.spindleRpm : 0,
      cutLoadPercent: cutLoad,
      toolWear: this.tools.wear,
      ambientDegC: surroundings.ambientDegC,
    });
    const feed = isCutting
      ? (operation.feedMmPerMin * this.feedOverridePercent) / 100
      : phase === "approach"
        ? 9000
        : 0;
    this.feedRateMmPerMin = lag(this.feedRateMmPerMin, feed, dtS, 0.25);
    this.axes.step(dtS, this.feedRateMmPerMin, isTurning ? operation.reach : 0, cutLoad);
    this.coolant.step(dtS, isTurning, this.spindle.loadPercent, surroundings.ambientDegC);
    this.#stepSupplies(dtS, surroundings);
    this.#stepMeters(dtS);
    this.#stepAlarms(dtS);
  }

  #cut(dtS: number): void {
    this.tools.cut(dtS, this.spindle.loadPercent);
    if (this.tools.isBroken) {
      this.spindle.burst(4);
      this.#brokenForS = this.#random.between(90, 150);
      this.cycle.stop(this.#brokenForS);
      this.tools.replaceBroken();
      this.scrapCount++;
      this.partCount++;
    } else if (this.coolant.levelPercent < COOLANT_LEVEL_MIN_PERCENT) {
      this.cycle.stop(60);
    }
  }

  #countPart(isGood: boolean): void {
    this.partCount++;
    if (!isGood) this.scrapCount++;
    this.barRemainingMm -= 62;
    if (this.barRemainingMm < 80) this.barRemainingMm = 3000;
  }

  #stepSupplies(dtS: number, surroundings: Surroundings): void {
    if (this.hydraulicPressureBar < 58.5) this.#hydraulicPumpOn = true;
    if (this.hydraulicPressureBar > 63.5) this.#hydraulicPumpOn = false;
    this.hydraulicPressureBar += (this.#hydraulicPumpOn ? 0.9 : -0.045) * dtS;
    this.hydraulicPressureBar = Math.min(64.2, this.hydraulicPressureBar);
    const isRunning = this.state === "running";
    this.lubricationPressureBar = lag(this.lubricationPressureBar, isRunning ? 24 : 16, dtS, 9);
    this.chuckPressureBar = lag(
      this.chuckPressureBar,
      this.isDoorOpen ? 0 : 0.52 * this.hydraulicPressureBar,
      dtS,
      0.7,
    );
    this.airPressureBar = lag(this.airPressureBar, surroundings.airPressureBar - 0.25, dtS, 3);
    this.cabinetTemperatureDegC = lag(
      this.cabinetTemperatureDegC,
      surroundings.ambientDegC + 7 + 0.45 * this.powerKw,
      dtS,
      900,
    );
    this.#overrideInS -= dtS;
    if (this.#overrideInS <= 0) {
      this.#overrideInS = this.#random.between(600, 2400);
      this.feedOverridePercent = this.#random.pick([100, 100, 100, 90, 95, 105, 110]);
    }
    if (this.cycle.phase === "setup") this.coolant.refill();
  }

  #stepMeters(dtS: number): void {
    const spindleKw = (this.spindle.loadPercent / 100) * RATED_KW[this.kind];
    const axesKw = this.axes.all.reduce((sum, axis) => sum + axis.loadPercent * 0.011, 0);
    const pumpsKw = (this.coolant.flowLPerMin / 22) * 1.1 + (this.#hydraulicPumpOn ? 1.4 : 0);
    this.powerKw = 0.85 + spindleKw + axesKw + pumpsKw;
    this.energyKwh += (this.powerKw * dtS) / 3600;
    this.powerOnTimeS += dtS;
    if (this.state === "running") this.runTimeS += dtS;
  }

  #stepAlarms(dtS: number): void {
    this.#brokenForS = Math.max(0, this.#brokenForS - dtS);
    this.alarms =
      (this.coolant.levelPercent < 20 ? CncAlarm.coolantLow : 0) |
      (this.coolant.temperatureDegC > 34 ? CncAlarm.coolantHot : 0) |
      (this.spindle.loadPercent > 120 ? CncAlarm.spindleOverload : 0) |
      (this.tools.wear > 0.9 ? CncAlarm.toolWorn : 0) |
      (this.#brokenForS > 0 ? CncAlarm.toolBroken : 0) |
      (this.hydraulicPressureBar < 50 ? CncAlarm.hydraulicsLow : 0) |
      (this.spindle.vibrationXMmPerS > 4.5 ? CncAlarm.vibrationHigh : 0);
  }
}
