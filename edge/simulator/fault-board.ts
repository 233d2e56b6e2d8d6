import { EdgeError } from "../kernel/errors.ts";
import {
  FAULT_DURATION_MS_MAX,
  FAULT_KINDS,
  FAULTS_ACTIVE_MAX,
  FAULTS_ENDED_MAX,
  type FaultKind,
  type FaultRecord,
  type FaultRequest,
  type TruthLine,
} from "./fault.ts";
import type { Condition } from "./physics/surroundings.ts";
import type { PlantMachine, PlantMachines } from "./plant-machine.ts";
import type { Distortion, PlantSignal } from "./plant-signal.ts";
import type { MachineType } from "./signals/signal.ts";

interface ActiveFault {
  readonly record: FaultRecord;
  readonly machine: PlantMachine;
  readonly condition: Condition | null;
  readonly target: PlantSignal | null;
  readonly magnitude: number;
}

const DEFAULT_SIGNAL: Readonly<Record<MachineType, string>> = {
  "cnc-mill": "spindleLoad",
  "cnc-lathe": "spindleLoad",
  press: "machinePressure",
  compressor: "dischargePressure",
};

const DEFAULT_MAGNITUDE: Readonly<Record<FaultKind, number>> = {
  spike: 1.8,
  dip: 0.6,
  shift: 0.1,
  "bearing-wear": 0.8,
  "tool-wear": 1,
  "coolant-leak": 1,
  stuck: 0,
  lost: 0,
  "link-down": 0,
  "server-restart": 0,
};

const CNC_SYMPTOMS: Readonly<Record<Condition, readonly string[]>> = {
  "bearing-wear": ["vibrationX", "vibrationY", "spindleTemperature", "spindleLoad", "spindleCurrent", "power"],
  "tool-wear": ["toolWear", "spindleLoad", "spindleCurrent", "vibrationX", "vibrationY", "power", "alarms", "state"],
  "coolant-leak": ["coolantLevel", "coolantFlow", "coolantPressure", "coolantTemperature", "alarms", "state"],
};
const SYMPTOMS: Readonly<Record<MachineType, Partial<Record<Condition, readonly string[]>>>> = {
  "cnc-mill": CNC_SYMPTOMS,
  "cnc-lathe": CNC_SYMPTOMS,
  press: {
    "tool-wear": ["dieWear", "machineTemperature", "machinePressure", "electricityUtilization", "dieWorn", "state"],
  },
  compressor: { "bearing-wear": ["vibration", "oilTemperature", "power", "motorCurrent"] },
};

function conditionOf(kind: FaultKind): Condition | null {
  return kind === "bearing-wear" || kind === "tool-wear" || kind === "coolant-leak" ? kind : null;
}

function isLineFault(kind: FaultKind): boolean {
  return kind === "link-down" || kind === "server-restart";
}

/** The faults of a plant: what is broken now, since when, and the truth about it for whoever judges a detector. */
export class FaultBoard {
  /** Called at both ends of every fault, in order; the factory cuts its lines and writes the truth here. */
  onTruth: (line: TruthLine) => void = () => undefined;
  readonly #plant: PlantMachines;
  readonly #active = new Map<number, ActiveFault>();
  readonly #ended: FaultRecord[] = [];
  #lastId = 0;

  constructor(plant: PlantMachines) {
    this.#plant = plant;
  }

  get active(): readonly FaultRecord[] {
    return [...this.#active.values()].map(({ record }) => record);
  }

  /** The newest ended faults, at most FAULTS_ENDED_MAX, oldest first. */
  get ended(): readonly FaultRecord[] {
    return this.#ended;
  }

  /**
   * Begins a fault now.
   * @throws EdgeError USAGE when the machine or signal does not exist, can't have this fault, or too many are active
   */
  inject(request: FaultRequest, nowMs: number): FaultRecord {
    this.check(request);
    if (this.#active.size >= FAULTS_ACTIVE_MAX) {
      throw new EdgeError("USAGE", `${FAULTS_ACTIVE_MAX} faults are active already.`, {
        hint: "Wait for some to end.",
      });
    }
    const { kind } = request;
    const machine = this.#plant.machine(request.machineId);
    const magnitude = request.magnitude ?? DEFAULT_MAGNITUDE[kind];
    const condition = conditionOf(kind);
    const params: Record<string, number | string | readonly string[]> = { durationMs: request.durationMs };
    let signals: readonly string[];
    let target: PlantSignal | null = null;
    if (condition !== null) {
      this.#untaken(machine, condition);
      signals = symptomsOf(machine, condition);
      params.magnitude = magnitude;
    } else if (isLineFault(kind)) {
      const line = this.#lineOf(machine);
      signals = machine.signals.map(({ description }) => description.name);
      params.machineIds = line.map(({ id }) => `${this.#plant.site}/${id}`);
    } else {
      target = machine.signal(request.signal ?? DEFAULT_SIGNAL[machine.type]);
      signals = [target.description.name];
      if (kind === "spike" || kind === "dip" || kind === "shift") params.magnitude = magnitude;
    }
    this.#lastId++;
    const record: FaultRecord = {
      id: this.#lastId,
      fault: kind,
      machineId: `${this.#plant.site}/${machine.id}`,
      signals,
      startMs: nowMs,
      endMs: nowMs + request.durationMs,
      params,
    };
    this.#active.set(record.id, { record, machine, condition, target, magnitude });
    if (target !== null) {
      target.distortions.set(record.id, this.#distortion(kind, magnitude, target));
      target.refresh(nowMs);
    }
    this.onTruth({ at: "start", ...record });
    return record;
  }

  /** Whether a fault is possible at all, now or later. @throws EdgeError USAGE */
  check(request: FaultRequest): void {
    const { kind, durationMs, magnitude } = request;
    if (!FAULT_KINDS.includes(kind)) {
      const hint = `The kinds are: ${FAULT_KINDS.join(", ")}.`;
      throw new EdgeError("USAGE", `There is no fault "${kind}".`, { hint });
    }
    if (!(durationMs >= 1 && durationMs <= FAULT_DURATION_MS_MAX)) {
      throw new EdgeError("USAGE", `durationMs is ${durationMs}, expected 1 to ${FAULT_DURATION_MS_MAX}.`);
    }
    const machine = this.#plant.machine(request.machineId);
    const condition = conditionOf(kind);
    if (condition !== null) symptomsOf(machine, condition);
    else if (!isLineFault(kind)) refuseUnfit(kind, machine.signal(request.signal ?? DEFAULT_SIGNAL[machine.type]));
    const [low, high] = condition === null ? [-100, 100] : [0, 1];
    if (magnitude !== undefined && !(magnitude >= low && magnitude <= high)) {
      throw new EdgeError("USAGE", `magnitude is ${magnitude}, expected ${low} to ${high} for a ${kind}.`);
    }
  }

  /** Lets wear and leaks go on, and ends what is over. */
  step(nowMs: number): void {
    for (const fault of this.#active.values()) {
      const { record, condition, machine, magnitude } = fault;
      const share = Math.min(1, Math.max(0, (nowMs - record.startMs) / (record.endMs - record.startMs)));
      // A bearing goes slowly first and fast at the end; a leak and an overloaded tool go evenly.
      if (condition !== null)
        machine.physics.force(condition, magnitude * (condition === "bearing-wear" ? share ** 1.7 : share));
      if (nowMs >= record.endMs) this.#end(fault, nowMs);
    }
  }

  /** Ends one fault before its time; nothing happens when it has ended already. */
  end(id: number, nowMs: number): void {
    const fault = this.#active.get(id);
    if (fault !== undefined) this.#end(fault, nowMs);
  }

  endAll(nowMs: number): void {
    for (const fault of this.#active.values()) this.#end(fault, nowMs);
  }

  #end({ record, condition, machine, target }: ActiveFault, nowMs: number): void {
    this.#active.delete(record.id);
    if (condition !== null) machine.physics.force(condition, null);
    if (target !== null) {
      target.distortions.delete(record.id);
      target.refresh(nowMs);
    }
    const ended = { ...record, endMs: nowMs };
    this.#ended.push(ended);
    if (this.#ended.length > FAULTS_ENDED_MAX) this.#ended.shift();
    this.onTruth({ at: "end", ...ended });
  }

  #untaken(machine: PlantMachine, condition: Condition): void {
    const taken = [...this.#active.values()].find(
      (fault) => fault.machine === machine && fault.condition === condition,
    );
    if (taken === undefined) return;
    throw new EdgeError("USAGE", `${machine.id} has "${condition}" already (fault ${taken.record.id}).`);
  }

  #lineOf(machine: PlantMachine): readonly PlantMachine[] {
    const isModbus = machine.unitId !== null;
    const line = this.#plant.machines.filter((other) => (other.unitId !== null) === isModbus);
    const taken = [...this.#active.values()].find(
      ({ record, machine: other }) => isLineFault(record.fault) && line.includes(other),
    );
    if (taken !== undefined) {
      throw new EdgeError("USAGE", `The line of ${machine.id} is down already (fault ${taken.record.id}).`);
    }
    return line;
  }

  #distortion(kind: FaultKind, magnitude: number, target: PlantSignal): Distortion {
    if (kind === "shift") return { kind: "offset", offset: magnitude * target.span };
    if (kind === "stuck") return { kind: "stuck" };
    if (kind === "lost") return { kind: "lost" };
    return { kind: "factor", factor: magnitude };
  }
}

function symptomsOf(machine: PlantMachine, condition: Condition): readonly string[] {
  const symptoms = SYMPTOMS[machine.type][condition];
  if (symptoms !== undefined) return symptoms;
  const hint = `A ${machine.type} can have: ${Object.keys(SYMPTOMS[machine.type]).join(", ")}.`;
  throw new EdgeError("USAGE", `${machine.id} is a ${machine.type}: it can't have "${condition}".`, { hint });
}

function refuseUnfit(kind: FaultKind, target: PlantSignal): void {
  if (kind === "stuck" || kind === "lost" || target.isAnalog) return;
  throw new EdgeError("USAGE", `"${target.description.name}" is no measured number: it can't have a "${kind}".`, {
    hint: "Take stuck or lost, or a measured signal such as a temperature.",
  });
}
