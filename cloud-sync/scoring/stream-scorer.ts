import { anomalyDataOf, labelOf, type SignalLabel } from "../../models/anomaly/anomaly-data.ts";
import { MachineDetectors } from "../../models/anomaly/machine-detectors.ts";
import type { Classification } from "../../models/maintenance/classifier.ts";
import type { StoredEvent } from "../contract/event.ts";
import { type Candidate, MaintenanceWatch, type WatchState } from "./maintenance-watch.ts";
import type { Run } from "./readings.ts";
import { anomalyEvent, predictionEvent } from "./scored-event.ts";
import type { ScoringModels } from "./scoring-models.ts";
import type { ScoringRule } from "./scoring-rule.ts";

/** Which of the models have something to say; the others' results are left out. */
export interface Speakers {
  readonly maintenance: boolean;
  readonly spikeDip: boolean;
  readonly changepoint: boolean;
}

export interface ScorerState {
  readonly watch: WatchState;
  readonly detectors: Uint8Array;
}

/**
 * Scores one stream's readings in their order: the one code for what arrives and for what lies in the lake. Its state is all that the
 * next readings depend on.
 */
export class StreamScorer {
  readonly #models: ScoringModels;
  readonly #detectors: MachineDetectors;
  readonly #watch: MaintenanceWatch;

  constructor(models: ScoringModels, state?: ScorerState) {
    this.#models = models;
    this.#detectors = new MachineDetectors(models.detectors);
    if (state !== undefined) this.#detectors.restore(state.detectors);
    this.#watch = new MaintenanceWatch(models.classifier, state?.watch);
  }

  save(): ScorerState {
    return { watch: this.#watch.state, detectors: this.#detectors.save() };
  }

  /** Events of the detectors, in the order of seq; readings of each signal are judged by themselves. */
  detect(
    run: Run,
    rule: ScoringRule,
    speakers: Speakers,
    labelFor: (signal: string) => SignalLabel | undefined,
  ): StoredEvent[] {
    if (!speakers.spikeDip && !speakers.changepoint) return [];
    const events: StoredEvent[] = [];
    for (const { signal, event, timeMs, values, statusCodes } of run.signals) {
      const slot = rule.anomalies.includes(signal) ? this.#detectors.slotOf(signal) : undefined;
      if (slot === undefined) continue;
      for (let i = 0; i < event.length; i++) {
        const found = this.#detectors.observe(
          slot,
          signal,
          timeMs[i] as number,
          values[i] as number,
          statusCodes[i] as number,
        );
        for (const finding of found) {
          if (!(finding.kind === "changepoint" ? speakers.changepoint : speakers.spikeDip)) continue;
          const data = anomalyDataOf(finding, labelFor(signal) ?? labelOf(signal), this.#models.detectors);
          events.push(anomalyEvent(run, event[i] as number, data));
        }
      }
    }
    return events.sort((a, b) => a.seq - b.seq);
  }

  /** Rows for the maintenance model; `told` decides over each, in this order. */
  candidates(run: Run, rule: ScoringRule, speakers: Speakers): Candidate[] {
    return speakers.maintenance ? this.#watch.candidates(run, rule) : [];
  }

  isTold(candidate: Candidate, classification: Classification, rule: ScoringRule): boolean {
    return this.#watch.isTold(classification, candidate, rule);
  }
}

/** A candidate, and what its prediction waits for. */
export interface Waiting {
  readonly candidate: Candidate;
  readonly scorer: StreamScorer;
  readonly rule: ScoringRule;
}

/** Puts the rows of many streams through the model at once, and makes the events that are told. In the order given. */
export function predict({ classifier }: ScoringModels, waiting: readonly Waiting[]): StoredEvent[] {
  const width = classifier.inputs.length;
  const rows = new Float64Array(waiting.length * width);
  waiting.forEach(({ candidate }, i) => {
    rows.set(candidate.values, i * width);
  });
  const classified = classifier.classify(rows);
  const told = waiting.filter(({ candidate, scorer, rule }, i) =>
    scorer.isTold(candidate, classified[i] as Classification, rule),
  );
  const predictions = classifier.score(Float64Array.from(told.flatMap(({ candidate }) => candidate.values)));
  return told.flatMap(({ candidate: { run, event } }, i) => {
    const data = predictions[i];
    return data === undefined ? [] : [predictionEvent(run, event, data)];
  });
}
