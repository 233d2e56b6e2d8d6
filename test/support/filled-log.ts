import { randomBytes } from "node:crypto";
import type { NewEvent, StoredEvent } from "../../cloud-sync/contract/event.ts";
import type { LogReader } from "../../edge/log/event-log.ts";
import { type LogOptions, openLog, type SqliteLog } from "../../edge/log/log.ts";
import { sampleOf } from "./events.ts";
import { ManualClock } from "./manual-clock.ts";

export const MACHINES = ["redmond/mill-01", "redmond/mill-02", "redmond/press-01"] as const;

export interface FillOptions extends Omit<Partial<LogOptions>, "path" | "clock"> {
  readonly clock?: ManualClock;
  /** Rounds of one event a machine, a second apart. */
  readonly rounds: number;
  /** Readings in each event. */
  readonly signals?: number;
  /** Bytes of text in each event that no compression makes smaller. */
  readonly noiseBytes?: number;
  /** Sealed after each so many rounds. */
  readonly sealEvery?: number;
}

type Rounds = Pick<FillOptions, "rounds" | "signals" | "noiseBytes" | "sealEvery">;

/** Appends rounds of telemetry with an alarm now and then; the log stays open, with what was not sealed last in its tail. */
export async function filledLog(path: string, options: FillOptions): Promise<{ log: SqliteLog; clock: ManualClock }> {
  const { clock = new ManualClock() } = options;
  const log = openLog({ ...options, path, clock });
  await fillRounds(log, clock, options);
  return { log, clock };
}

export async function fillRounds(
  log: SqliteLog,
  clock: ManualClock,
  { rounds, signals = 5, noiseBytes = 0, sealEvery }: Rounds,
): Promise<void> {
  for (let round = 1; round <= rounds; round++) {
    await clock.advance(1_000);
    await log.append(roundOf(clock.nowMs(), round, signals, noiseBytes), "now");
    if (sealEvery !== undefined && round % sealEvery === 0) while (log.sealStep());
  }
}

function roundOf(timeMs: number, round: number, signals: number, noiseBytes: number): NewEvent[] {
  const telemetry = MACHINES.map((machineId, m): NewEvent => {
    const samples = Array.from({ length: signals }, (_, s) =>
      // Mixed digits, so that a block has some bytes to damage.
      sampleOf(`signal-${s}`, ((round * 7919 + m * 104_729 + s * 1_299_709) % 100_003) / 100, {
        sourceTimestampMs: timeMs - 7 - s,
        serverTimestampMs: timeMs - 3,
        receivedTimestampMs: timeMs,
      }),
    );
    const times = { sourceTimestampMs: timeMs, serverTimestampMs: timeMs, receivedTimestampMs: timeMs };
    if (noiseBytes > 0) samples.push(sampleOf("noise", randomBytes(noiseBytes / 2).toString("hex"), times));
    return { type: "telemetry", machineId, timeMs, data: { samples } };
  });
  if (round % 10 !== 0) return telemetry;
  const data = { source: "test", what: "round", severity: "high", message: `round ${round} is over` } as const;
  return [...telemetry, { type: "alarm", machineId: MACHINES[0], timeMs, data }];
}

export function everyEvent(log: LogReader): StoredEvent[] {
  const events: StoredEvent[] = [];
  for (;;) {
    const more = log.readAfter(events.at(-1)?.offset ?? 0, { limitEvents: 5_000 });
    if (more.length === 0) return events;
    events.push(...more);
  }
}
