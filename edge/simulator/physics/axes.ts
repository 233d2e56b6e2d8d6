import { approach, lag, triangle } from "./dynamics.ts";
import type { Random } from "./random.ts";

export interface Axis {
  readonly name: string;
  readonly isRotary: boolean;
  /** Half of the travel, mm or °. */
  readonly travel: number;
  position: number;
  loadPercent: number;
}

const RAPID_MM_PER_S = 500;
/** Each axis moves at its own share of the path's speed, so that the path is not a straight line. */
const PATH_SHARES = [1, 0.37, 0.083, 0.021, 0.013];
const CUT_SHARES = [0.34, 0.27, 0.42, 0.18, 0.15];

/** The feed axes: back and forth along the path while cutting, at rapid speed to the change position otherwise. */
export class Axes {
  readonly all: readonly Axis[];
  #pathMm: number;

  constructor(names: readonly string[], random: Random) {
    this.all = names.map((name) => {
      const isRotary = name === "A" || name === "C";
      const travel = isRotary ? 110 : random.integerBetween(220, 480);
      return { name, isRotary, travel, position: travel * 0.9, loadPercent: 4 };
    });
    this.#pathMm = random.between(0, 5000);
  }

  axis(name: string): Axis {
    const found = this.all.find((axis) => axis.name === name);
    if (found === undefined) throw new RangeError(`No axis ${name} on this machine.`);
    return found;
  }

  /** @param reach share of the travel that the path uses; 0 moves to the change position. */
  step(dtS: number, feedMmPerMin: number, reach: number, cutLoadPercent: number): void {
    this.#pathMm += (feedMmPerMin / 60) * dtS;
    for (const [index, axis] of this.all.entries()) {
      const span = axis.travel * reach;
      const home = axis.travel * 0.9;
      const target = reach === 0 ? home : span * triangle((this.#pathMm * (PATH_SHARES[index] ?? 0.01)) / span);
      const before = axis.position;
      axis.position = approach(axis.position, target, dtS, RAPID_MM_PER_S);
      const speedShare = Math.abs(axis.position - before) / Math.max(dtS, 1e-3) / RAPID_MM_PER_S;
      const weight = axis.name === "Z" ? 14 : 4;
      const loadTarget = weight + 38 * speedShare + cutLoadPercent * (CUT_SHARES[index] ?? 0.1);
      axis.loadPercent = lag(axis.loadPercent, loadTarget, dtS, 0.4);
    }
  }
}
