import type { Logger } from "pino";
import { backoffMs } from "../../edge/kernel/backoff.ts";
import type { Clock } from "../../edge/kernel/clock.ts";
import type { Component } from "../../edge/kernel/component.ts";
import { messageOf } from "../../edge/kernel/errors.ts";
import { FailureLog } from "../../edge/kernel/failure-log.ts";
import { BlockError } from "../contract/block/block-error.ts";
import { FrameError } from "../contract/frame/frame-error.ts";
import type { Database } from "../database/database.ts";
import type { EventStore, StoredDocument } from "../store/event-store.ts";
import { readTelemetryDocument } from "../store/read-telemetry.ts";
import type { TelemetryDocument } from "../store/telemetry-document.ts";
import { FeedReader } from "./feed-reader.ts";
import { PageScorer } from "./page-scorer.ts";
import { ResultWriter } from "./result-writer.ts";
import { type ProducerOptions, ScorePublisher } from "./score-publisher.ts";
import { beginCheckpoints, moveCheckpoints, readCheckpoints } from "./scoring-checkpoint.ts";
import { ScoringLock } from "./scoring-lock.ts";
import { loadScoringModels, type ScoringModels } from "./scoring-models.ts";
import { type ScoringRule, type ScoringRuleWish, scoringRules } from "./scoring-rule.ts";
import { StreamStates } from "./stream-states.ts";

export interface CloudScorerOptions {
  readonly store: EventStore;
  readonly database: Database;
  /** The folder models/, with the versions of each model. */
  readonly modelsFolder: string;
  /** What is scored of which machines; without any, stamping presses by their usual names. */
  readonly rules?: readonly ScoringRuleWish[];
  /** An Event Hub that gets what the models say; left out: none does. */
  readonly producer?: ProducerOptions;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Between two checkpoints while telemetry comes; default 5,000. */
  readonly checkpointMs?: number;
  /** Streams kept in memory; default 4,096. */
  readonly streamsMax?: number;
}

/** Name of the checkpoint. */
const READER = "scoring";
const CHECKPOINT_MS = 5_000;
/** Between two looks at a feed that has nothing new: more and more seldom. */
const [IDLE_MS_MIN, IDLE_MS_MAX, IDLE_GROWTH] = [250, 1_000, 1.3];
const NOT_HELD_MS = 500;
const SWEEP_MS = 6 * 3_600_000;
const BACKOFF = { baseMs: 200, maxMs: 30_000 };

/**
 * Scores telemetry whose edge has no model, or an older one (edge-models.ts), in the order of the feed.
 *
 * Results are written into scored_telemetry first, then the states of the streams and the checkpoint in one transaction. After a crash in
 * between, the same documents are scored again from the same states, say the same under the same ids, and change nothing.
 *
 * Readings of a stream are scored in the order of seq. What comes late, behind readings with higher seqs, is scored with a copy of what
 * is known when the first of it comes, which then goes on with the late ones alone; it never changes the state of what is in its turn.
 * Readings that were scored once are not scored again.
 */
export class CloudScorer implements Component {
  readonly name = "scoring";
  readonly #options: CloudScorerOptions;
  readonly #rules: readonly ScoringRule[];
  readonly #reader: FeedReader;
  readonly #writer: ResultWriter;
  /** Since it runs: documents read, readings scored and those of them that came late, events written, documents that can't be read. */
  readonly counts = { documents: 0, readings: 0, lateReadings: 0, scored: 0, unreadable: 0 };
  /** false while documents were read whose results are not written: then there is no checkpoint. */
  #isWhole = true;
  #checkpointedMs = 0;
  #sweptMs = Number.NEGATIVE_INFINITY;

  constructor(options: CloudScorerOptions) {
    this.#options = options;
    this.#rules = scoringRules(options.rules);
    this.#reader = new FeedReader(options.store, "telemetry");
    this.#writer = new ResultWriter(options.store, options.clock);
  }

  /** @throws EdgeError MODEL_INVALID when a model can't be used */
  async run(signal: AbortSignal, ready: () => void): Promise<void> {
    const { modelsFolder, producer } = this.#options;
    const models = await loadScoringModels(modelsFolder);
    ready();
    const publishing =
      producer === undefined ? undefined : new ScorePublisher({ ...this.#options, producer }).run(signal);
    await Promise.all([this.#follow(models, signal), publishing]);
  }

  async #follow(models: ScoringModels, signal: AbortSignal): Promise<void> {
    const { database, clock, logger, streamsMax } = this.#options;
    const failures = new FailureLog(logger, clock, { component: this.name });
    const states = new StreamStates(models, streamsMax);
    await using lock = new ScoringLock(database, 1);
    let [attempt, isBegun, idleMs] = [0, false, IDLE_MS_MIN];
    while (!signal.aborted) {
      try {
        if (!(await lock.held())) {
          isBegun = false;
          await clock.sleep(NOT_HELD_MS, signal);
          continue;
        }
        if (!isBegun) await this.#begin(states, signal);
        isBegun = true;
        const hasMore = await this.#step(models, states, signal);
        attempt = 0;
        failures.recovered();
        if (!hasMore) await clock.sleep(idleMs, signal);
        idleMs = hasMore ? IDLE_MS_MIN : Math.min(IDLE_MS_MAX, idleMs * IDLE_GROWTH);
      } catch (error) {
        if (signal.aborted) break;
        isBegun = false;
        failures.failed(error);
        await clock.sleep(backoffMs(attempt++, BACKOFF), signal);
      }
    }
    if (isBegun && this.#isWhole) await this.#checkpoint(states).catch((error) => failures.failed(error));
  }

  async #begin(states: StreamStates, signal: AbortSignal): Promise<void> {
    const { database, store, clock } = this.#options;
    states.forget();
    await beginCheckpoints(database, READER, "telemetry", await store.feedRanges("telemetry", signal));
    this.#isWhole = true;
    this.#reader.begin(await readCheckpoints(database, READER, "telemetry"));
    this.#checkpointedMs = clock.monotonicMs();
  }

  /** @returns whether there was something */
  async #step(models: ScoringModels, states: StreamStates, signal: AbortSignal): Promise<boolean> {
    const { database, clock, checkpointMs = CHECKPOINT_MS } = this.#options;
    const documents = await this.#reader.read(signal);
    this.#isWhole = documents === undefined;
    if (documents !== undefined) await this.#score(documents, models, states, signal);
    const isDue = clock.monotonicMs() - this.#checkpointedMs >= checkpointMs;
    if (isDue || states.isFull) await this.#checkpoint(states);
    if (clock.monotonicMs() - this.#sweptMs >= SWEEP_MS) {
      this.#sweptMs = clock.monotonicMs();
      await StreamStates.forgetOld(database);
    }
    return documents !== undefined;
  }

  async #score(
    documents: readonly StoredDocument[],
    models: ScoringModels,
    states: StreamStates,
    signal: AbortSignal,
  ): Promise<void> {
    const read = documents.flatMap((document) => this.#guarded(document, () => readTelemetryDocument(document)) ?? []);
    await states.load(
      this.#options.database,
      read.map(({ fields: { machineId, epoch } }) => ({ machineId, epoch })),
    );
    const page = new PageScorer(models, this.#rules);
    for (const document of read) {
      const { machineId, epoch } = document.fields;
      this.#guarded(document, () => page.take(document, states.get({ machineId, epoch })));
    }
    const scored = page.results();
    this.counts.scored += await this.#writer.write(scored, signal);
    this.#isWhole = true;
    this.counts.documents += documents.length;
    this.counts.readings += page.readings;
    this.counts.lateReadings += page.lateReadings;
  }

  /**
   * A document that is damaged, or that scoring stumbles over, is passed over and told of: it will not mend, and nothing may wait for it.
   */
  #guarded<T>(document: StoredDocument | TelemetryDocument, work: () => T): T | undefined {
    try {
      return work();
    } catch (error) {
      this.counts.unreadable++;
      const { machineId, epoch, firstSeq } = document.fields;
      const facts = { machineId, epoch, firstSeq };
      const isDamaged = error instanceof BlockError || error instanceof FrameError;
      if (isDamaged) this.#options.logger.warn({ ...facts, reason: messageOf(error) }, "a document can't be scored");
      else this.#options.logger.error({ ...facts, err: error }, "a document can't be scored");
      return undefined;
    }
  }

  async #checkpoint(states: StreamStates): Promise<void> {
    const { database, clock } = this.#options;
    this.#checkpointedMs = clock.monotonicMs();
    const { steps } = this.#reader;
    if (steps.length === 0) return;
    await database.transaction(async (sql) => {
      await moveCheckpoints(sql, READER, "telemetry", steps);
      await states.save(sql);
    });
    this.#reader.moved(steps);
    states.saved();
  }
}
