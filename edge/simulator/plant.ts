import { EdgeError } from "../kernel/errors.ts";
import { FaultBoard } from "./fault-board.ts";
import { CncPhysics } from "./physics/cnc-physics.ts";
import { CompressorPhysics } from "./physics/compressor-physics.ts";
import { PressPhysics } from "./physics/press-physics.ts";
import { Random, seedFor } from "./physics/random.ts";
import { Hall, type MachinePhysics } from "./physics/surroundings.ts";
import { type PlantSize, plantMachines } from "./plant-layout.ts";
import type { PlantMachine } from "./plant-machine.ts";
import { PlantSignal } from "./plant-signal.ts";
import { cncSignals } from "./signals/cnc-signals.ts";
import { COMPRESSOR_SIGNALS } from "./signals/compressor-signals.ts";
import { PRESS_SIGNALS } from "./signals/press-signals.ts";
import type { SignalSpec } from "./signals/signal.ts";

export interface PlantOptions extends PlantSize {
  readonly seed: number;
  readonly site?: string;
  /** Time of the first values, UTC epoch ms. */
  readonly startMs: number;
}

/** Longest step of the integration; a longer one is cut into pieces. */
const STEP_S_MAX = 0.5;
/** A step may cover at most an hour: a box that slept all night must not spend minutes to catch up. */
export const STEP_MS_MAX = 3_600_000;
/**
 * The factory without its wires: machines, physics, sensors, faults. Pure: it knows no clock, no socket and no file, and
 * the same seed and the same steps give the same bytes. `dtMs` moves the physics, `nowMs` is what the samples are stamped with.
 */
export class Plant {
  readonly site: string;
  readonly machines: readonly PlantMachine[];
  readonly faults: FaultBoard;
  readonly #hall: Hall;
  readonly #compressor: CompressorPhysics;
  readonly #machineById: ReadonlyMap<string, PlantMachine>;

  constructor(options: PlantOptions) {
    this.site = options.site ?? "redmond";
    this.#hall = new Hall(new Random(seedFor(options.seed, "hall")));
    this.#compressor = new CompressorPhysics(seedFor(options.seed, "compressor-01"));
    this.machines = plantMachines(options).map(({ id, type, unitId }) => {
      const seed = seedFor(options.seed, id);
      const noise = new Random(seedFor(options.seed, `${id} sensors`));
      const build = <P extends MachinePhysics>(physics: P, specs: readonly SignalSpec<P>[]): PlantMachine => {
        const signals = specs.map(
          (spec) => new PlantSignal(id, spec, () => spec.read(physics), noise, options.startMs),
        );
        const byName = new Map(signals.map((signal) => [signal.description.name, signal]));
        const signal = (name: string): PlantSignal => {
          const found = byName.get(name);
          if (found !== undefined) return found;
          const hint = `Its signals are: ${[...byName.keys()].join(", ")}.`;
          throw new EdgeError("USAGE", `${id} has no signal "${name}".`, { hint });
        };
        return { id, type, unitId, physics, signals, signal };
      };
      if (type === "cnc-mill") return build(new CncPhysics("mill", seed), cncSignals("mill"));
      if (type === "cnc-lathe") return build(new CncPhysics("lathe", seed), cncSignals("lathe"));
      if (type === "press") return build(new PressPhysics(seed), PRESS_SIGNALS);
      return build(this.#compressor, COMPRESSOR_SIGNALS);
    });
    this.#machineById = new Map(this.machines.map((machine) => [machine.id, machine]));
    this.faults = new FaultBoard(this);
    // The spindles turn before anybody looks.
    this.step(20_000, options.startMs);
  }

  /** @throws EdgeError USAGE when there is no such machine; "redmond/mill-01" is understood as well as "mill-01". */
  machine(machineId: string): PlantMachine {
    const prefix = `${this.site}/`;
    const id = machineId.startsWith(prefix) ? machineId.slice(prefix.length) : machineId;
    const found = this.#machineById.get(id);
    if (found !== undefined) return found;
    const hint = `The machines are: ${[...this.#machineById.keys()].join(", ")}.`;
    throw new EdgeError("USAGE", `There is no machine "${machineId}" in this factory.`, { hint });
  }

  /** Moves the physics by `dtMs`, begins and ends faults as of `nowMs`, and lets the sensors measure. */
  step(dtMs: number, nowMs: number): void {
    this.faults.step(nowMs);
    const pieces = Math.ceil(Math.min(dtMs, STEP_MS_MAX) / 1000 / STEP_S_MAX);
    const dtS = Math.min(dtMs, STEP_MS_MAX) / 1000 / Math.max(1, pieces);
    for (let piece = 0; piece < pieces; piece++) {
      this.#hall.step(dtS);
      const { ambientDegC, humidityPercent } = this.#hall;
      const surroundings = { ambientDegC, humidityPercent, airPressureBar: this.#compressor.pressureBar };
      for (const { physics } of this.machines) physics.step(dtS, surroundings);
    }
    for (const { signals } of this.machines) for (const signal of signals) signal.step(dtMs, nowMs);
  }
}
