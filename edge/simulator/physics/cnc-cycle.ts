import type { Operation, PartProgram } from "./part-program.ts";
import type { Random } from "./random.ts";
import type { MachineState } from "./surroundings.ts";

type Phase = "loading" | "tool-change" | "approach" | "cutting" | "setup" | "break" | "fault";

const STATE_BY_PHASE: Readonly<Record<Phase, MachineState>> = {
  loading: "idle",
  "tool-change": "running",
  approach: "running",
  cutting: "running",
  setup: "setup",
  break: "idle",
  fault: "fault",
};

/** Chance that a part is followed by a pause of minutes: lunch, no material, a colleague. */
const BREAK_CHANCE = 0.03;
const BASE_SCRAP_CHANCE = 0.008;

/** What happened in a step, for counters and the tool magazine. */
export interface CycleEvents {
  onToolChange(tool: number): void;
  onPart(isGood: boolean): void;
}

/** The work of one machine: batches of parts, operation by operation, with loading, setups, pauses and stops. */
export class CncCycle {
  phase: Phase;
  program: PartProgram;
  blockNumber = 0;
  /** Duration of the last finished part, s. */
  cycleTimeS: number;
  #remainingS: number;
  #operationIndex: number;
  #partsLeft: number;
  #cycleElapsedS = 0;
  readonly #programs: readonly [PartProgram, ...PartProgram[]];
  readonly #random: Random;
  readonly #events: CycleEvents;

  constructor(programs: readonly [PartProgram, ...PartProgram[]], random: Random, events: CycleEvents) {
    this.#programs = programs;
    this.#random = random;
    this.#events = events;
    this.program = random.pick(programs);
    this.#partsLeft = random.integerBetween(2, this.program.batchParts);
    this.#operationIndex = random.integerBetween(0, this.program.operations.length - 1);
    this.cycleTimeS = this.program.operations.reduce((sum, { durationS }) => sum + durationS + 8, 0);
    this.phase = random.next() < 0.85 ? "cutting" : "setup";
    this.#remainingS = this.phase === "cutting" ? random.between(5, this.operation.durationS) : random.between(30, 120);
    this.#events.onToolChange(this.operation.tool);
  }

  get state(): MachineState {
    return STATE_BY_PHASE[this.phase];
  }

  get operation(): Operation {
    return this.program.operations[this.#operationIndex] ?? this.program.operations[0];
  }

  /** @param scrapChance added to the base chance when a part is finished now. */
  step(dtS: number, scrapChance: number): void {
    this.#cycleElapsedS += dtS;
    if (this.phase === "cutting") this.blockNumber += dtS * 2.6;
    this.#remainingS -= dtS;
    while (this.#remainingS <= 0) this.#advance(scrapChance);
  }

  stop(durationS: number): void {
    this.phase = "fault";
    this.#remainingS = durationS;
  }

  /** Ends a pause or setup soon, so that a fault that needs a turning spindle can be seen. */
  hurry(): void {
    if (this.state !== "running" && this.phase !== "fault") this.#remainingS = Math.min(this.#remainingS, 4);
  }

  #advance(scrapChance: number): void {
    const random = this.#random;
    switch (this.phase) {
      case "loading":
      case "setup":
      case "break":
        this.#cycleElapsedS = 0;
        this.blockNumber = 0;
        this.#operationIndex = 0;
        this.#enter("tool-change", random.between(3, 6));
        return;
      case "tool-change":
        this.#events.onToolChange(this.operation.tool);
        this.#enter("approach", random.between(2, 4));
        return;
      case "approach":
        this.#enter("cutting", this.operation.durationS * random.between(0.97, 1.03));
        return;
      case "cutting":
        if (this.#operationIndex + 1 < this.program.operations.length) {
          this.#operationIndex++;
          this.#enter("tool-change", random.between(3, 6));
          return;
        }
        this.#finishPart(scrapChance);
        return;
      case "fault":
        this.#enter("setup", random.between(40, 90));
        return;
    }
  }

  #finishPart(scrapChance: number): void {
    const random = this.#random;
    this.cycleTimeS = this.#cycleElapsedS;
    this.#events.onPart(random.next() >= BASE_SCRAP_CHANCE + scrapChance);
    this.#partsLeft--;
    if (this.#partsLeft <= 0) {
      this.program = random.pick(this.#programs);
      this.#operationIndex = 0;
      this.#partsLeft = this.program.batchParts;
      this.#enter("setup", random.between(240, 720));
    } else if (random.next() < BREAK_CHANCE) {
      this.#enter("break", random.between(180, 600));
    } else {
      this.#enter("loading", random.between(12, 25));
    }
  }

  #enter(phase: Phase, durationS: number): void {
    this.phase = phase;
    this.#remainingS += durationS;
  }
}
