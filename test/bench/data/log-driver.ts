import { join } from "node:path";
import type { NewEvent, StoredEvent } from "../../../cloud-sync/contract/event.ts";
import type { EventLog } from "../../../edge/log/event-log.ts";
import { openLog } from "../../../edge/log/log.ts";
import { ManualClock } from "../../support/manual-clock.ts";

const READ_EVENTS_MAX = 10_000;

/**
 * The log as its benchmark drives it, on a clock that the benchmark moves. Everything that knows which calls seal, maintain
 * and read a backlog stands here.
 */
export class LogDriver {
  readonly path: string;
  readonly clock: ManualClock;
  #log: EventLog;

  constructor(folder: string, startMs: number) {
    this.path = join(folder, "bench.db");
    this.clock = new ManualClock(startMs);
    this.#log = openLog({ path: this.path, clock: this.clock });
  }

  /** Files whose writes are the log's. */
  get paths(): string[] {
    return ["", "-wal", "-shm"].map((suffix) => this.path + suffix);
  }

  /** "grouped" must be followed by a "now": the log's own timer runs on real time. */
  append(events: readonly NewEvent[], commit: "grouped" | "now"): Promise<number> {
    return this.#log.append(events, commit);
  }

  /** Moves the clock to `nowMs`, and does what the runtime does beside appending by then. */
  async maintain(nowMs: number): Promise<void> {
    await this.clock.advance(nowMs - this.clock.nowMs());
  }

  /** Brings all that was appended into the form in which it stays. Closing the last connection empties the WAL into the file. */
  async seal(): Promise<void> {
    this.#log.close();
    this.#log = openLog({ path: this.path, clock: this.clock });
  }

  /** All events from the oldest on, as a consumer that was away reads them; gives how many readings they hold. */
  readBacklog(): number {
    let readings = 0;
    let offset = 0;
    for (;;) {
      const events = this.#log.readAfter(offset, { limitEvents: READ_EVENTS_MAX / 10 });
      const last = events.at(-1);
      if (last === undefined) return readings;
      offset = last.offset;
      for (const event of events) if (event.type === "telemetry") readings += event.data.samples.length;
    }
  }

  /** One signal's values in [fromMs, toMs), as a trend asks for them. */
  readTrend(machineId: string, signal: string, fromMs: number, toMs: number): number[] {
    const values: number[] = [];
    let afterSeq = 0;
    for (;;) {
      const options = { limitEvents: READ_EVENTS_MAX, afterSeq, types: ["telemetry"] } as const;
      const events: StoredEvent[] = this.#log.readTime(machineId, fromMs, toMs, options);
      for (const event of events) {
        if (event.type !== "telemetry" || event.timeMs < fromMs || event.timeMs >= toMs) continue;
        for (const sample of event.data.samples) if (sample.signal === signal) values.push(Number(sample.value));
      }
      afterSeq = events.at(-1)?.seq ?? 0;
      if (events.length < READ_EVENTS_MAX) return values;
    }
  }

  sizeBytes(): number {
    return this.#log.sizeBytes();
  }

  close(): void {
    this.#log.close();
  }
}
