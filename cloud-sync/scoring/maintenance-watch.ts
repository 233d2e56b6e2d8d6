import { severityOf } from "../../edge/kernel/status-code.ts";
import type { Classification, Classifier } from "../../models/maintenance/classifier.ts";
import { FOREIGN_EPOCH_PREFIX } from "../store/telemetry-document.ts";
import type { Run } from "./readings.ts";
import type { ScoringRule } from "./scoring-rule.ts";

/** A reading of one input counts for the events after it so long, by event time. */
const HELD_MS_MAX = 60_000;

/** A row for the classifier, and the event that completed it. */
export interface Candidate {
  readonly run: Run;
  readonly event: number;
  readonly values: readonly number[];
}

export interface WatchState {
  /** Of each input the newest good reading and its time, UTC epoch ms; null: none yet. */
  readonly held: readonly ({ readonly value: number; readonly timeMs: number } | null)[];
  /** Of the prediction told last. */
  readonly told: { readonly requirement: string; readonly outside: boolean; readonly timeMs: number } | null;
}

/** Makes rows for the maintenance model out of one stream's readings, and decides which predictions are told. */
export class MaintenanceWatch {
  readonly #classifier: Classifier;
  readonly #held: ({ value: number; timeMs: number } | null)[];
  #told: WatchState["told"] = null;

  constructor(classifier: Classifier, state?: WatchState) {
    this.#classifier = classifier;
    const inputs = classifier.inputs.length;
    this.#held = state?.held.length === inputs ? [...state.held] : new Array<null>(inputs).fill(null);
    this.#told = state?.told ?? null;
  }

  get state(): WatchState {
    return { held: [...this.#held], told: this.#told };
  }

  /** A row for each event that brings a good reading of an input, when all inputs are known and none of them is old. */
  candidates(run: Run, { maintenance }: ScoringRule): Candidate[] {
    if (maintenance === undefined) return [];
    const columns = this.#classifier.inputs.map(({ signal }) => {
      const own = maintenance[signal];
      return own === undefined ? undefined : run.signals.find((column) => column.signal === own);
    });
    const at = columns.map(() => 0);
    const found: Candidate[] = [];
    for (;;) {
      let event = Number.POSITIVE_INFINITY;
      columns.forEach((column, i) => {
        if (column !== undefined && (at[i] as number) < column.event.length)
          event = Math.min(event, column.event[at[i] as number] as number);
      });
      if (event === Number.POSITIVE_INFINITY) return found;
      const timeMs = run.timeMs(event);
      let isNew = false;
      columns.forEach((column, i) => {
        for (; column?.event[at[i] as number] === event; at[i] = (at[i] as number) + 1) {
          const value = column.values[at[i] as number] as number;
          if (!Number.isFinite(value) || severityOf(column.statusCodes[at[i] as number] as number) === "bad") continue;
          this.#held[i] = { value, timeMs };
          isNew = true;
        }
      });
      const values = this.#held.flatMap((held) =>
        held !== null && Math.abs(timeMs - held.timeMs) <= HELD_MS_MAX ? [held.value] : [],
      );
      if (isNew && values.length === columns.length) found.push({ run, event, values });
    }
  }

  /** Whether a prediction is told: the first of a span of time, or another than the one before. */
  isTold({ requirement, outsideTraining }: Classification, { run, event }: Candidate, rule: ScoringRule): boolean {
    const told = this.#told;
    const timeMs = run.timeMs(event);
    const everyMs = run.epoch.startsWith(FOREIGN_EPOCH_PREFIX) ? rule.foreignEveryMs : rule.everyMs;
    const isOther = told === null || told.requirement !== requirement || told.outside !== outsideTraining;
    const spanOf = (ms: number): number => Math.floor(ms / everyMs);
    const isDue =
      told === null ||
      everyMs === 0 ||
      spanOf(told.timeMs) !== spanOf(timeMs) ||
      (isOther && Math.abs(timeMs - told.timeMs) >= rule.changeAfterMs);
    if (isDue) this.#told = { requirement, outside: outsideTraining, timeMs };
    return isDue;
  }
}
