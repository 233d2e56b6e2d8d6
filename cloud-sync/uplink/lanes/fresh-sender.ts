import type { StoredEvent } from "../../contract/event.ts";
import { FRAME_CONTENT_TYPE } from "../../contract/frame/frame.ts";
import { BODY_BYTES_MAX } from "../limits.ts";
import { packLive } from "../pack/pack-live.ts";
import { bytesOf, messageOf, type Parcel } from "../parcel.ts";
import type { Window } from "../window.ts";
import type { LaneDeps } from "./lane-deps.ts";
import type { TelemetryCursor } from "./telemetry-cursor.ts";

/** Stretches beside each other that were sent ahead of a backlog; beyond, what is fresh waits instead. */
const AHEAD_MAX = 64;

/** Sends what is new, every so often, whatever else is under way. */
export class FreshSender {
  readonly #deps: LaneDeps;
  readonly #cursor: TelemetryCursor;
  readonly #window: Window;
  /** Messages spread over the time to gather, from site to site. */
  readonly #phase: number;
  #position: number | undefined;
  #waiting: Parcel[] = [];
  #gatheredMs: number;

  constructor(deps: LaneDeps, cursor: TelemetryCursor, window: Window, phase: number) {
    this.#deps = deps;
    this.#cursor = cursor;
    this.#window = window;
    this.#phase = phase;
    this.#gatheredMs = deps.clock.monotonicMs();
  }

  /** What was read is read again, from the cursor on. */
  forget(): void {
    this.#position = undefined;
    this.#waiting = [];
  }

  /** For the life of a session. @throws EdgeError of the log */
  async run(signal: AbortSignal): Promise<void> {
    this.#leaveSealed();
    while (!signal.aborted) {
      if (await this.#hand(signal)) await this.#step(signal);
      await this.#untilNext(signal);
      if (!signal.aborted) this.#leaveSealed();
    }
  }

  /** Blocks that begin behind the cursor need not be encoded again, and thinned ones can only be told by their roll-ups. */
  #leaveSealed(): void {
    const { log, limits } = this.#deps;
    this.#position ??= this.#cursor.backlogEnd ?? this.#cursor.whole;
    const after = this.#position;
    const blocks = log.readBlocks(after, { limitBytes: limits.sliceBytes });
    if (!blocks.some(({ bytes, firstOffset }) => bytes === undefined || firstOffset > after)) {
      this.#leaveBacklog(after);
      return;
    }
    const head = log.head();
    const newest = Math.max(after, head - limits.freshEvents);
    // What is sealed is read as blocks only: the newest events are had for little only while they are not.
    this.#position = log.readBlocks(newest, { limitBytes: 1 }).length === 0 ? newest : head;
    this.#cursor.openBacklog(this.#position);
  }

  /** What has waited for long is left to the backlog, so that what is new is not behind it. */
  #leaveBacklog(after: number): void {
    const { log, clock, limits, budget } = this.#deps;
    const head = log.head();
    const end = head - limits.freshEvents;
    if (end <= after || this.#cursor.ahead.count >= AHEAD_MAX) return;
    const [oldest] = log.readAfter(after, { limitEvents: 1 });
    const staleAfterMs = limits.staleAfterMs + 3 * budget.gatherMs;
    if (oldest === undefined || clock.nowMs() - oldest.timeMs < staleAfterMs) return;
    this.#cursor.openBacklog(end);
    this.#position = end;
  }

  async #step(signal: AbortSignal): Promise<void> {
    const { log, clock, budget, usedUnits } = this.#deps;
    if (!budget.hasUnits(clock.nowMs(), usedUnits())) return;
    const to = log.head();
    const spanMs = clock.monotonicMs() - this.#gatheredMs;
    this.#gatheredMs += spanMs;
    let bytes = 0;
    let messages = 0;
    while (!signal.aborted && (this.#position ?? to) < to) {
      const parcels = this.#gather(to);
      bytes += parcels.reduce((sum, parcel) => sum + parcel.bytes, 0);
      messages += parcels.length;
      this.#waiting.push(...parcels);
      if (!(await this.#hand(signal))) break;
    }
    if (messages > 0) budget.gathered(Math.max(spanMs, budget.gatherMs / 2), bytes, messages);
  }

  /** Reads and encodes the next events, up to `to` at most. */
  #gather(to: number): Parcel[] {
    const { log, limits, site, live, tooLarge } = this.#deps;
    const after = this.#position ?? to;
    const events: StoredEvent[] = [];
    let end = after;
    for (let samples = 0; end < to && samples < limits.encodeSamplesMax; ) {
      const read = log.readAfter(end, { limitEvents: limits.readEventsMax });
      for (const event of read) {
        if (event.type === "telemetry") samples += event.data.samples.length;
        events.push(event);
      }
      end = read.length < limits.readEventsMax ? Math.max(to, read.at(-1)?.offset ?? to) : (read.at(-1)?.offset ?? to);
    }
    const { frames, tooLarge: misfits } = packLive(events, BODY_BYTES_MAX);
    for (const event of misfits) tooLarge("telemetry", event);
    this.#position = end;
    let left = frames.length;
    const settled = (): void => {
      if (--left === 0) this.#cursor.freshDone(after, end);
    };
    if (left === 0) this.#cursor.freshDone(after, end);
    return frames.map((frame) => {
      const message = messageOf("telemetry", site, { body: frame.body, contentType: FRAME_CONTENT_TYPE });
      live({ message, samples: frame.samples });
      return { message, bytes: bytesOf(message), events: frame.events, contents: frame.contents, settled };
    });
  }

  /** Hands over what waits; false on abort, when it goes on waiting. */
  async #hand(signal: AbortSignal): Promise<boolean> {
    for (let parcel = this.#waiting[0]; parcel !== undefined; parcel = this.#waiting[0]) {
      if (!(await this.#window.room(signal))) return false;
      if (!(await this.#deps.pace.take(parcel.bytes, "fresh", signal))) return false;
      this.#waiting.shift();
      this.#window.add(parcel);
    }
    return !signal.aborted;
  }

  async #untilNext(signal: AbortSignal): Promise<void> {
    const { clock, budget } = this.#deps;
    const { gatherMs } = budget;
    const nowMs = clock.monotonicMs();
    const phaseMs = this.#phase * gatherMs;
    const nextMs = (Math.floor((nowMs - phaseMs) / gatherMs) + 1) * gatherMs + phaseMs;
    await clock.sleep(Math.max(1, nextMs - nowMs), signal);
  }
}
