import type { StoredEvent } from "../contract/event.ts";
import { rangesOf, seqFilter } from "../store/seq-ranges.ts";
import { lessOf } from "../store/seq-sets.ts";
import type { SeqRanges, TelemetryDocument } from "../store/telemetry-document.ts";
import { type Run, runOf, type SignalReadings } from "./readings.ts";
import type { ScoringModels } from "./scoring-models.ts";
import { ruleFor, type ScoringRule, signalsOf } from "./scoring-rule.ts";
import { predict, type StreamScorer, type Waiting } from "./stream-scorer.ts";
import type { StreamState } from "./stream-state.ts";

/** What one document says, with the machine's place for the events that come of it. */
export interface Scored {
  readonly event: StoredEvent;
  readonly factoryId: string;
}

/**
 * Scores documents one after the other in the order of the feed. What comes out depends on that order alone, not on where pages end: the
 * maintenance model gets the rows of many documents at once, but each row's turn is kept.
 */
export class PageScorer {
  readonly #models: ScoringModels;
  readonly #rules: readonly ScoringRule[];
  readonly #named: ReadonlySet<string>;
  readonly #waiting: Waiting[] = [];
  readonly #factoryOf = new Map<string, string>();
  #events: StoredEvent[] = [];
  /** Readings that were looked at, and those of documents that came late. */
  readings = 0;
  lateReadings = 0;

  constructor(models: ScoringModels, rules: readonly ScoringRule[]) {
    this.#models = models;
    this.#rules = rules;
    this.#named = new Set(rules.flatMap(signalsOf));
  }

  /** @throws BlockError, FrameError when the document is damaged; then nothing of it was taken */
  take(document: TelemetryDocument, state: StreamState): void {
    if (document.kind === "rollup") return;
    const { fields } = document;
    const rare = document.rareEvents();
    const ranges = seqsOf(document);
    const rule = ruleFor(this.#rules, typeIn(rare) ?? state.typeName);
    const run = runOf(document, signalsOf(rule));
    const fresh = lessOf(ranges, state.seen);
    if (fresh.length === 0) return;
    this.#factoryOf.set(fields.machineId, fields.factoryId);
    for (const event of rare) state.hear(event, this.#named);
    if (run === undefined && !rare.some(({ type }) => type !== "gap")) return;
    state.markSeen(fresh);
    if (run === undefined) return;
    const isFresh = seqFilter(fresh);
    const isWhole =
      fresh.length === ranges.length && fresh.every(([a, b], i) => a === ranges[i]?.[0] && b === ranges[i]?.[1]);
    const { frontier } = state;
    const firstSeq = fresh[0]?.[0] ?? 0;
    if (isWhole && firstSeq > frontier) this.#score(run, state, rule, false);
    else {
      this.#score(
        part(run, (seq) => seq <= frontier && isFresh(seq)),
        state,
        rule,
        true,
      );
      this.#score(
        part(run, (seq) => seq > frontier && isFresh(seq)),
        state,
        rule,
        false,
      );
    }
  }

  #score(run: Run | undefined, state: StreamState, rule: ScoringRule, isLate: boolean): void {
    if (run === undefined) return;
    const [first, last] = boundsOf(run);
    // The copy for late readings must know what was told before them.
    if (isLate && state.needsCopy(first)) this.#predict();
    const scorer: StreamScorer = isLate ? state.late(first, last) : state.live(last);
    const { speakers } = state;
    for (const { event } of run.signals) {
      this.readings += event.length;
      if (isLate) this.lateReadings += event.length;
    }
    this.#events.push(...scorer.detect(run, rule, speakers, (signal) => state.labelOf(signal)));
    for (const candidate of scorer.candidates(run, rule, speakers)) this.#waiting.push({ candidate, scorer, rule });
  }

  #predict(): void {
    this.#events.push(...predict(this.#models, this.#waiting));
    this.#waiting.length = 0;
  }

  /** What was said since the last time. */
  results(): Scored[] {
    this.#predict();
    const scored = this.#events.map((event) => ({ event, factoryId: this.#factoryOf.get(event.machineId) ?? "" }));
    this.#events = [];
    this.#factoryOf.clear();
    return scored;
  }
}

/** Seqs that count in a document. */
function seqsOf(document: TelemetryDocument): SeqRanges {
  const { firstSeq, lastSeq, admitted } = document.fields;
  if (document.kind === "block") return admitted ?? [[firstSeq, lastSeq]];
  return rangesOf(document.events().map(({ seq }) => seq));
}

function typeIn(rare: readonly StoredEvent[]): string | undefined {
  let typeName: string | undefined;
  for (const event of rare)
    if (event.type === "config" && event.data.kind === "machine") typeName = String(event.data.typeName);
  return typeName;
}

function part(run: Run, takes: (seq: number) => boolean): Run | undefined {
  const signals = run.signals.flatMap((readings): SignalReadings[] => {
    const kept = Array.from(readings.event, (_, i) => i).filter((i) => takes(run.seq(readings.event[i] as number)));
    if (kept.length === 0) return [];
    const of = (numbers: ArrayLike<number>): Float64Array => Float64Array.from(kept, (i) => numbers[i] as number);
    const { signal, event, timeMs, values, statusCodes } = readings;
    return [{ signal, event: of(event), timeMs: of(timeMs), values: of(values), statusCodes: of(statusCodes) }];
  });
  return signals.length === 0 ? undefined : { ...run, signals };
}

function boundsOf(run: Run): readonly [firstSeq: number, lastSeq: number] {
  let [first, last] = [Number.POSITIVE_INFINITY, -1];
  for (const { event } of run.signals) {
    first = Math.min(first, run.seq(event[0] as number));
    last = Math.max(last, run.seq(event[event.length - 1] as number));
  }
  return [first, last];
}
