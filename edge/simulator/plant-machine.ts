import type { MachinePhysics } from "./physics/surroundings.ts";
import type { PlantSignal } from "./plant-signal.ts";
import type { MachineType } from "./signals/signal.ts";

export interface PlantMachine {
  /** Without the site: "mill-01". */
  readonly id: string;
  readonly type: MachineType;
  /** Modbus machines only. */
  readonly unitId: number | null;
  readonly physics: MachinePhysics;
  readonly signals: readonly PlantSignal[];
  signal(name: string): PlantSignal;
}

/** The machines of a factory, to look up by id. */
export interface PlantMachines {
  readonly site: string;
  readonly machines: readonly PlantMachine[];
  /** @throws EdgeError USAGE when there is no such machine */
  machine(machineId: string): PlantMachine;
}
