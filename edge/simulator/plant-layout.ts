import { EdgeError } from "../kernel/errors.ts";
import type { MachineType } from "./signals/signal.ts";

/** Looks odd and stays the same for ever, as such URIs are: config names it, never its index. */
export const LINE_NAMESPACE_URI = "urn:wwi:redmond:machining";

export interface PlantSize {
  readonly mills?: number;
  readonly lathes?: number;
  readonly presses?: number;
}

export const MACHINES_OF_A_TYPE_MAX = 99;

/** Ids and types of the machines of a factory of this size, in the order of the config. */
export function plantMachines({ mills = 5, lathes = 3, presses = 4 }: PlantSize = {}): readonly {
  id: string;
  type: MachineType;
  unitId: number | null;
}[] {
  for (const [name, count] of Object.entries({ mills, lathes, presses })) {
    if (Number.isInteger(count) && count >= 0 && count <= MACHINES_OF_A_TYPE_MAX) continue;
    throw new EdgeError("USAGE", `${name} is ${count}, expected a whole number from 0 to ${MACHINES_OF_A_TYPE_MAX}.`);
  }
  const numbered = (prefix: string, type: MachineType, count: number, isModbus: boolean) =>
    Array.from({ length: count }, (_, index) => ({
      id: `${prefix}-${String(index + 1).padStart(2, "0")}`,
      type,
      unitId: isModbus ? index + 1 : null,
    }));
  return [
    ...numbered("mill", "cnc-mill", mills, false),
    ...numbered("lathe", "cnc-lathe", lathes, false),
    ...numbered("press", "press", presses, true),
    { id: "compressor-01", type: "compressor", unitId: 100 },
  ];
}
