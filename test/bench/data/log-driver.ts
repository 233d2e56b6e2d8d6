import { join } from "node:path";
import type { NewEvent } from "../../../cloud-sync/contract/event.ts";
import type { EventLog } from "../../../edge/log/event-log.ts";
import { openLog } from "../../../edge/log/log.ts";
import { ManualClock } from "../../support/manual-clock.ts";

/** What the uplink takes at once. */
const BACKLOG_BYTES = 1_000_000;

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
    while (this.#log.maintain());
  }

  /** Brings all that was appended into the form in which it stays. Closing the last connection empties the WAL into the file. */
  async seal(): Promise<void> {
    this.#log.seal();
    this.#log.close();
    this.#log = openLog({ path: this.path, clock: this.clock });
  }

  /** All sealed blocks from the oldest on, as the uplink takes them; gives how many readings they hold. */
  readBacklog(): number {
    let readings = 0;
    for (let offset = 0; ; ) {
      const blocks = this.#log.readBlocks(offset, { limitBytes: BACKLOG_BYTES });
      const last = blocks.at(-1);
      if (last === undefined) return readings;
      offset = last.lastOffset;
      for (const { samples, bytes } of blocks) if (bytes) readings += samples;
    }
  }

  /** One signal's values in [fromMs, toMs), every one of them, as a trend asks for them. */
  readTrend(machineId: string, signal: string, fromMs: number, toMs: number, resolutionMs = 0): number[] {
    const values: number[] = [];
    for (const slices of this.#log.readSeries({ machineId, signals: [signal], fromMs, toMs, resolutionMs }))
      for (const { numbers } of slices) for (const value of numbers) values.push(value);
    return values;
  }

  sizeBytes(): number {
    return this.#log.sizeBytes();
  }

  close(): void {
    this.#log.close();
  }
}
