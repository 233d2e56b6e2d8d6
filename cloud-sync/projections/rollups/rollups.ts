import type { Clock } from "../../../edge/kernel/clock.ts";
import { FrameError } from "../../contract/frame/frame-error.ts";
import type { Database, Sql } from "../../database/database.ts";
import { rangesOf } from "../../store/seq-ranges.ts";
import { FOREIGN_EPOCH_PREFIX, type SeqRanges, type TelemetryDocument } from "../../store/telemetry-document.ts";
import type { Change, Projection } from "../projection.ts";
import type { SignalSet, SignalSets } from "../state/signal-sets.ts";
import { type CellKey, CellTable } from "./cell-table.ts";
import { DAY_MS, MINUTES_DAYS, MinuteDays } from "./minute-days.ts";
import { addReadings, minutesOf } from "./readings.ts";
import { SeenStreams } from "./seen-streams.ts";
import { ThinnedRows } from "./thinned-rows.ts";

const MINUTE_MS = 60_000;
const MINUTES_PER_HOUR = 60;
const MINUTES_PER_DAY = 1_440;
/** A reading that was received so long before the hub took it has a wrong time. */
const BACK_MS_MAX = 400 * DAY_MS;
/** Minutes of one document times signals of its machine: a document that needs more was made to. */
const CELLS_MAX = 4_000_000;

/**
 * model.rollup_1m, rollup_1h and thinned_1m. Readings are added up one behind the other in the order of the feed, so that a sum has the
 * same bits however the feed is cut into batches. What was received after the hub took its message, or 400 days before, counts in the
 * minute in which the hub took it; so what there is of minutes and hours is bounded, whatever clocks say.
 */
export class Rollups implements Projection {
  readonly name = "rollups";
  readonly version = 1;
  readonly containers = ["telemetry"] as const;
  readonly batchMax = 20_000;
  readonly gatherMs = 10_000;
  readonly #sets: SignalSets;
  readonly #clock: Clock;
  readonly #cells = new CellTable();
  readonly #streams = new SeenStreams();
  readonly #thinned = new ThinnedRows();
  readonly #days = new MinuteDays();

  constructor(sets: SignalSets, clock: Clock) {
    this.#sets = sets;
    this.#clock = clock;
  }

  async gather(changes: readonly Change[], sql: Sql): Promise<boolean> {
    const documents = changes.flatMap(({ telemetry }) => telemetry ?? []);
    await this.#streams.open(
      documents.map(({ fields }) => fields),
      sql,
    );
    const fresh: TelemetryDocument[] = [];
    for (const document of documents) {
      const { machineId, epoch, firstSeq, enqueuedMs } = document.fields;
      const stream = this.#streams.get(machineId, epoch);
      if (document.kind === "rollup")
        this.#thinned.add(document, stream, (ms) => ms <= enqueuedMs && ms > enqueuedMs - BACK_MS_MAX);
      else if (!stream.seen.has(firstSeq)) {
        for (const [first, last] of seqsOf(document)) stream.seen.add(first, last);
        if (document.fields.samples > 0) fresh.push(document);
      }
    }
    const sets = await this.#sets.having(namesOf(fresh));
    const times: Times = { nowMs: this.#clock.nowMs(), firstMinute: this.#firstDay() * MINUTES_PER_DAY };
    await this.#open(fresh, sets, times, sql);
    for (const document of fresh) this.#add(document, sets.get(document.fields.machineId) as SignalSet, times);
    return this.#cells.isMuch;
  }

  async #open(
    documents: readonly TelemetryDocument[],
    sets: ReadonlyMap<string, SignalSet>,
    times: Times,
    sql: Sql,
  ): Promise<void> {
    const keys = new Map<string, CellKey>();
    const days = new Set<number>();
    const { firstMinute } = times;
    for (const document of documents) {
      const { machineId } = document.fields;
      const minutes = minutesOf(document, minuteIn(document, times));
      if (minutes.size * (sets.get(machineId)?.names.length ?? 0) > CELLS_MAX)
        throw new FrameError("limit", `readings of ${minutes.size} minutes in one document`);
      for (const minute of minutes) {
        const hour = Math.floor(minute / MINUTES_PER_HOUR);
        keys.set(`h ${hour} ${machineId}`, { machineId, span: "hour", at: hour });
        if (minute < firstMinute) continue;
        keys.set(`m ${minute} ${machineId}`, { machineId, span: "minute", at: minute });
        days.add(Math.floor(minute / MINUTES_PER_DAY));
      }
    }
    await this.#days.ensure(days, sql);
    await this.#cells.open([...keys.values()], sets, sql);
  }

  #add(document: TelemetryDocument, set: SignalSet, times: Times): void {
    const { machineId, epoch, firstSeq } = document.fields;
    const { kept, keptMs } = this.#streams.get(machineId, epoch);
    const isKept = kept.has(firstSeq);
    const { firstMinute } = times;
    addReadings(
      document,
      (signal) => set.indexByName.get(signal),
      minuteIn(document, times),
      (minute) => {
        if (isKept && minute * MINUTE_MS < keptMs) return [];
        const hour = this.#cells.get(machineId, "hour", Math.floor(minute / MINUTES_PER_HOUR));
        return minute < firstMinute ? [hour] : [this.#cells.get(machineId, "minute", minute), hour];
      },
    );
  }

  async apply(_none: readonly Change[], sql: Sql): Promise<void> {
    this.#thinned.settle(this.#streams.changed());
    await this.#cells.write(sql);
    await this.#thinned.write(sql);
    await this.#streams.write(sql);
    this.#cells.written();
    this.#thinned.clear();
    this.#streams.written();
  }

  async reset(sql: Sql, keepBeforeMs: number): Promise<void> {
    this.forget();
    const before = new Date(keepBeforeMs);
    await sql.query("DELETE FROM model.rollup_1m WHERE minute_at >= $1", [before]);
    await sql.query("DELETE FROM model.rollup_1h WHERE hour_at >= $1", [before]);
    await sql.query("DELETE FROM model.thinned_1m WHERE minute_at >= $1", [before]);
    await this.#streams.reset(keepBeforeMs, sql);
  }

  forget(): void {
    this.#cells.forget();
    this.#streams.forget();
    this.#thinned.clear();
    this.#days.forget();
  }

  async maintain(database: Database): Promise<void> {
    await this.#days.drop(this.#firstDay(), database);
  }

  #firstDay(): number {
    return Math.floor(this.#clock.nowMs() / DAY_MS) - MINUTES_DAYS;
  }
}

interface Times {
  readonly nowMs: number;
  /** Of those that are kept one by one. */
  readonly firstMinute: number;
}

function minuteIn({ fields }: TelemetryDocument, { nowMs }: Times): (receivedMs: number) => number {
  // A hub's clock is trusted, but not to make a partition for each day to come.
  const enqueuedMs = Math.min(fields.enqueuedMs, nowMs + DAY_MS);
  const earliestMs = enqueuedMs - BACK_MS_MAX;
  const enqueued = Math.floor(enqueuedMs / MINUTE_MS);
  return (ms) => (ms <= enqueuedMs && ms >= earliestMs ? Math.floor(ms / MINUTE_MS) : enqueued);
}

/** The seqs that count in a document: exactly, but for streams whose numbers have holes anyway. */
export function seqsOf(document: TelemetryDocument): SeqRanges {
  const { kind, fields } = document;
  const { admitted, epoch, firstSeq, lastSeq } = fields;
  if (kind === "events" && !epoch.startsWith(FOREIGN_EPOCH_PREFIX))
    return rangesOf(document.events().map(({ seq }) => seq));
  return admitted ?? [[firstSeq, lastSeq]];
}

function namesOf(documents: readonly TelemetryDocument[]): Map<string, Set<string>> {
  const names = new Map<string, Set<string>>();
  for (const document of documents) {
    const { machineId } = document.fields;
    const own = names.get(machineId) ?? new Set();
    names.set(machineId, own);
    if (document.block !== undefined) for (const name of document.block.signals) own.add(name);
    else
      for (const event of document.events())
        if (event.type === "telemetry") for (const { signal } of event.data.samples) own.add(signal);
  }
  return names;
}
