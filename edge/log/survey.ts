import { LEDGER_STATES, type LedgerState } from "../../cloud-sync/contract/ledger.ts";
import { type Forecast, forecast } from "./forecast.ts";
import type { BoundsOptions } from "./keep/bounds.ts";
import type { LogUsage } from "./keep/usage.ts";
import type { LogParts, SqliteLogReader } from "./reader.ts";

export interface StateCount {
  readonly state: LedgerState;
  readonly events: number;
  /** Readings in them; of fresh ones those of all commits that can be read. */
  readonly readings: number;
}

/** Where a log stands: its room, what comes in, what waits, and what is no longer here. */
export interface LogSurvey {
  readonly path: string;
  readonly usage: LogUsage;
  readonly forecast: Forecast;
  /** Oldest first; more than one when numbers may have been lost or a backup was restored. */
  readonly epochs: readonly { readonly epoch: string; readonly firstOffset: number; readonly cause: string }[];
  /** What waits to be sealed into blocks. */
  readonly tail: {
    readonly commits: number;
    readonly damagedCommits: number;
    readonly events: number;
    readonly readings: number;
    /** UTC epoch ms of the oldest commit that waits; null when nothing does. */
    readonly sinceMs: number | null;
  };
  readonly blocks: { readonly whole: number; readonly thinned: number; readonly setAside: number };
  /** UTC epoch ms of the oldest reading that is here as it was measured; null when there is none. */
  readonly oldestReadingMs: number | null;
  /** The same for one-minute aggregates of thinned blocks. */
  readonly oldestAggregateMs: number | null;
  /** What became of all events, by state; states without events are left out. */
  readonly states: readonly StateCount[];
}

/** Looks at the whole log without decoding anything. */
export function surveyLog(log: SqliteLogReader, options: BoundsOptions): LogSurvey {
  return log.examine((parts) => ({
    path: log.path,
    usage: log.usage(),
    forecast: forecast(log, options),
    ...contentsOf(parts),
  }));
}

interface Sums {
  readonly state: string;
  readonly events: number;
  readonly readings: number;
  readonly ranges: number;
  readonly fromMs: number | null;
}

function contentsOf({ database, tail }: LogParts) {
  const epochs = database
    .prepare("SELECT epoch, first_offset AS firstOffset, cause FROM epoch ORDER BY first_offset")
    .all() as LogSurvey["epochs"];
  const sums = (table: string, state: string, where: string): Sums[] =>
    database
      .prepare(`
        SELECT ${state} AS state, sum(last_seq - first_seq + 1) AS events, sum(samples) AS readings, count(*) AS ranges,
          min(iif(${where}, from_ms, NULL)) AS fromMs FROM ${table} GROUP BY ${state}`)
      .all() as Sums[];
  const blocks = sums("block", "state", "samples > 0");
  const gone = sums("gone", "cause", "FALSE");
  const whole = blocks.find(({ state }) => state === "whole");
  const thinned = blocks.find(({ state }) => state === "thinned");
  const { chunks } = tail;
  const waiting = {
    commits: chunks.length,
    damagedCommits: chunks.filter(({ isLost }) => isLost).length,
    events: chunks.reduce((sum, { firstOffset, lastOffset }) => sum + lastOffset - firstOffset + 1, 0),
    readings: chunks.reduce((sum, { samples }) => sum + samples, 0),
    sinceMs: chunks.find(({ isLost }) => !isLost)?.appendedMs ?? null,
  };
  const counts = new Map<string, { events: number; readings: number }>();
  const add = (state: string, events: number, readings: number): void => {
    const known = counts.get(state) ?? { events: 0, readings: 0 };
    counts.set(state, { events: known.events + events, readings: known.readings + readings });
  };
  for (const { state, events, readings } of [...blocks, ...gone])
    add(state === "whole" ? "sealed" : state, events, readings);
  if (waiting.events > 0) add("fresh", waiting.events, waiting.readings);
  const withReadings = chunks.find(({ samples }) => samples > 0);
  return {
    epochs,
    tail: waiting,
    blocks: {
      whole: whole?.ranges ?? 0,
      thinned: thinned?.ranges ?? 0,
      setAside: blocks.find(({ state }) => state === "corrupt")?.ranges ?? 0,
    },
    oldestReadingMs: whole?.fromMs ?? withReadings?.appendedMs ?? null,
    oldestAggregateMs: thinned?.fromMs ?? null,
    states: LEDGER_STATES.flatMap((state) => {
      const count = counts.get(state);
      return count ? [{ state, ...count }] : [];
    }),
  };
}
