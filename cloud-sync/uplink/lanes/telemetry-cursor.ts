import type { EventLog } from "../../../edge/log/event-log.ts";
import { Bell } from "../bell.ts";
import { CURSOR_BY_LANE } from "../ports.ts";
import { SavedCursors } from "./lane-deps.ts";
import { OffsetRanges } from "./offset-ranges.ts";

/** Beside the lane's cursor: up to where nothing at all is missing. */
export const WHOLE_CURSOR = "uplink.telemetry.whole";

/**
 * How far telemetry is done with, in the log's own file:
 *
 * - `whole`: every event up to here is done with.
 * - `taken` (the lane's cursor, never less): every block that ends up to here is done with. It is ahead of `whole` while a
 *   backlog is sent in blocks, whose events interleave. It never passes the end of the backlog.
 * - a backlog, while there is one: (whole, backlogEnd]. What is newer goes on beside it, and is remembered in memory only
 *   (`ahead`): after a crash it is sent again.
 */
export class TelemetryCursor {
  readonly ahead = new OffsetRanges();
  /** Rings when a backlog begins, grows or ends. */
  readonly changed = new Bell();
  readonly #log: EventLog;
  readonly #cursors: SavedCursors;
  #whole = 0;
  #taken = 0;
  #backlogEnd: number | undefined;

  constructor(log: EventLog) {
    this.#log = log;
    this.#cursors = new SavedCursors(log);
  }

  get whole(): number {
    return this.#whole;
  }

  get taken(): number {
    return this.#taken;
  }

  get backlogEnd(): number | undefined {
    return this.#backlogEnd;
  }

  /** Reads it anew from the log; nothing that was remembered counts. */
  load(): void {
    this.ahead.clear();
    this.#cursors.begin();
    this.#taken = this.#log.cursor(CURSOR_BY_LANE.telemetry);
    this.#whole = Math.min(this.#taken, this.#log.cursor(WHOLE_CURSOR));
    // Between the two only blocks may be read: the rest of those that were begun is a backlog, however small.
    this.#backlogEnd = this.#whole < this.#taken ? this.#taken : undefined;
    this.changed.ring();
  }

  /** All up to `end` is a backlog from now on. */
  openBacklog(end: number): void {
    if (end <= this.#whole || end <= (this.#backlogEnd ?? 0)) return;
    this.#backlogEnd = end;
    this.changed.ring();
  }

  /** Every event of after < offset ≤ to is done with. */
  freshDone(after: number, to: number): void {
    this.ahead.add(after, to);
    this.#advance();
  }

  /** Every block that ends up to here is done with. */
  takenTo(offset: number): void {
    const taken = Math.min(offset, this.#backlogEnd ?? this.#whole);
    if (taken <= this.#taken) return;
    this.#cursors.save(CURSOR_BY_LANE.telemetry, taken);
    this.#taken = taken;
  }

  /** Every event of the backlog up to here is done with. */
  wholeTo(offset: number): void {
    if (this.#backlogEnd === undefined) return;
    this.#moveTo(Math.min(offset, this.#backlogEnd));
    if (this.#whole < this.#backlogEnd) return;
    this.#backlogEnd = undefined;
    this.#advance();
    this.changed.ring();
  }

  #advance(): void {
    if (this.#backlogEnd !== undefined) return;
    this.#moveTo(this.ahead.endAfter(this.#whole));
    this.ahead.forgetUpTo(this.#whole);
  }

  /** The lane's cursor first: a crash between the two leaves it ahead, which is read as a block that was begun. */
  #moveTo(offset: number): void {
    if (offset <= this.#whole) return;
    const taken = Math.max(this.#taken, offset);
    if (taken > this.#taken) this.#cursors.save(CURSOR_BY_LANE.telemetry, taken);
    this.#cursors.save(WHOLE_CURSOR, offset);
    this.#taken = taken;
    this.#whole = offset;
  }
}
