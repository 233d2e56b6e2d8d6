import type { Clock } from "../../edge/kernel/clock.ts";
import type { Database } from "../database/database.ts";
import type { LakeFiles } from "../lake/place/lake-files.ts";
import type { LakePlace } from "../lake/place/place.ts";
import { readLake } from "../lake/read-lake.ts";
import type { EventStore } from "../store/event-store.ts";
import { lakeRuns } from "./lake-runs.ts";
import type { Scored } from "./page-scorer.ts";
import { ResultWriter } from "./result-writer.ts";
import type { ScoringModels } from "./scoring-models.ts";
import { ruleFor, type ScoringRuleWish, scoringRules, signalsOf } from "./scoring-rule.ts";
import { predict, StreamScorer } from "./stream-scorer.ts";
import { StreamStates } from "./stream-states.ts";

/** Streams whose state is kept between one day and the next; of more, those least recently met begin anew. */
const STREAMS_MAX = 20_000;

export interface HistoryWish {
  readonly lake: LakePlace | LakeFiles;
  readonly store: EventStore;
  /** What live scoring knows: names of signals, machine types, and where the edge scores by itself. */
  readonly database: Database;
  readonly models: ScoringModels;
  readonly rules?: readonly ScoringRuleWish[];
  /** Readings received from..to, the end excluded, UTC epoch ms. */
  readonly fromMs: number;
  readonly toMs: number;
  readonly factory?: string;
  readonly machine?: string;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Called now and then. */
  readonly progress?: (done: HistoryCounts) => void;
}

export interface HistoryCounts {
  readonly readings: number;
  /** What the models said, and what of it was not there yet. */
  readonly said: number;
  readonly written: number;
  /** Readings up to here are scored, UTC epoch ms. */
  readonly atMs: number;
}

/**
 * Scores what lies in the lake, by the same code and into the same container as what arrives. An event is written under the identity that
 * live scoring gives it, and what is there stays: running it twice changes nothing, and where the same models have scored live it adds
 * only what those could not say (before their warm-up, while they did not run). Streams whose edge scores by a model as new are left to
 * it. The detectors begin at `fromMs` without a past.
 * @throws EdgeError LAKE_UNAVAILABLE, LAKE_QUERY, STORE_UNAVAILABLE, STORE_REFUSED, DATABASE_UNAVAILABLE; it may simply be run again
 */
export async function scoreHistory(wish: HistoryWish): Promise<HistoryCounts> {
  const { lake, store, database, models, fromMs, toMs, factory, machine, clock, signal, progress } = wish;
  const rules = scoringRules(wish.rules);
  const writer = new ResultWriter(store, clock);
  const known = new StreamStates(models);
  const scorers = new Map<string, StreamScorer>();
  let counts: HistoryCounts = { readings: 0, said: 0, written: 0, atMs: fromMs };
  const chunks = readLake(lake, {
    fromMs,
    toMs,
    signals: [...new Set(rules.flatMap(signalsOf))],
    signal,
    ...(factory === undefined ? {} : { factory }),
    ...(machine === undefined ? {} : { machine }),
  });
  for await (const { factoryId, run } of lakeRuns(chunks)) {
    const key = { machineId: run.machineId, epoch: run.epoch };
    await known.load(database, [key]);
    const state = known.get(key);
    if (known.isFull) known.forget();
    const scorer = scorerOf(scorers, JSON.stringify([key.machineId, key.epoch]), models);
    const rule = ruleFor(rules, state.typeName);
    const { speakers } = state;
    const events = scorer.detect(run, rule, speakers, (name) => state.labelOf(name));
    const waiting = scorer.candidates(run, rule, speakers).map((candidate) => ({ candidate, scorer, rule }));
    events.push(...predict(models, waiting));
    const scored = events.map((event): Scored => ({ event, factoryId }));
    const written = await writer.write(scored, signal);
    counts = {
      readings: counts.readings + run.signals.reduce((sum, { event }) => sum + event.length, 0),
      said: counts.said + scored.length,
      written: counts.written + written,
      atMs: Math.max(counts.atMs, run.timeMs(0)),
    };
    progress?.(counts);
  }
  return counts;
}

function scorerOf(scorers: Map<string, StreamScorer>, key: string, models: ScoringModels): StreamScorer {
  const scorer = scorers.get(key) ?? new StreamScorer(models);
  scorers.delete(key);
  scorers.set(key, scorer);
  const [oldest] = scorers.keys();
  if (scorers.size > STREAMS_MAX && oldest !== undefined) scorers.delete(oldest);
  return scorer;
}
