import type { StoredEvent } from "../../contract/event.ts";
import { FRAME_CONTENT_TYPE } from "../../contract/frame/frame.ts";
import { BODY_BYTES_MAX } from "../limits.ts";
import { packLive } from "../pack/pack-live.ts";
import { bytesOf, messageOf, type Parcel } from "../parcel.ts";
import type { Window } from "../window.ts";
import { type LaneDeps, ReadSize } from "./lane-deps.ts";
import type { TelemetryCursor } from "./telemetry-cursor.ts";

/** Stretches beside each other that were sent ahead of a backlog; beyond, what is fresh waits instead. */
const AHEAD_MAX = 64;

/** So often what is new is read, well before it is sealed: out of blocks it would cost much more. */
const READ_MS = 500;

/** Sends what is new, every so often, whatever else is under way. */
export class FreshSender {
  readonly #deps: LaneDeps;
  readonly #cursor: TelemetryCursor;
  readonly #window: Window;
  /** Messages spread over the time to gather, from site to site. */
  readonly #phase: number;
  readonly #readSize: ReadSize;
  /** Up to here was read. */
  #position: number | undefined;
  /** Read and not packed yet: of #gatheredAfter < offset ≤ #position. */
  #gathered: StoredEvent[] = [];
  #gatheredSamples = 0;
  #gatheredAfter = 0;
  #waiting: Parcel[] = [];
  /** Time of the first event of what is packed and not acknowledged. */
  readonly #unsettledMs = new Set<{ readonly timeMs: number }>();
  #steppedMs: number;

  constructor(deps: LaneDeps, cursor: TelemetryCursor, window: Window, phase: number) {
    this.#deps = deps;
    this.#cursor = cursor;
    this.#window = window;
    this.#phase = phase;
    this.#steppedMs = deps.clock.monotonicMs();
    this.#readSize = new ReadSize(deps.limits.readEventsMax);
  }

  /** What was read is read again, from the cursor on. */
  forget(): void {
    this.#position = undefined;
    this.#gathered = [];
    this.#gatheredSamples = 0;
    this.#waiting = [];
    this.#unsettledMs.clear();
  }

  /** Of the oldest event that is read and not acknowledged. */
  get oldestMs(): number | undefined {
    const [oldest] = this.#unsettledMs;
    return oldest?.timeMs ?? this.#gathered[0]?.timeMs;
  }

  /** For the life of a session. @throws EdgeError of the log */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, budget, usedUnits } = this.#deps;
    this.#leaveSealed();
    while (!signal.aborted) {
      const mayGo = budget.hasUnits(clock.nowMs(), usedUnits());
      if (mayGo && (await this.#hand(signal))) await this.#step(signal);
      await this.#untilNext(signal);
    }
  }

  /** Blocks that begin behind the cursor need not be encoded again, and thinned ones can only be told by their roll-ups. */
  #leaveSealed(): void {
    const { log, limits } = this.#deps;
    if (this.#position === undefined) this.#jump(this.#cursor.backlogEnd ?? this.#cursor.whole);
    const after = this.#position ?? 0;
    const blocks = log.readBlocks(after, { limitBytes: limits.sliceBytes });
    if (!blocks.some(({ bytes, firstOffset }) => bytes === undefined || firstOffset > after)) {
      this.#leaveBacklog(after);
      return;
    }
    const head = log.head();
    const newest = Math.max(after, head - limits.freshEvents);
    // What is sealed is read as blocks only: the newest events are had for little only while they are not.
    this.#jump(log.readBlocks(newest, { limitBytes: 1 }).length === 0 ? newest : head);
    this.#cursor.openBacklog(this.#position ?? head);
  }

  /** What has waited for long is left to the backlog, so that what is new is not behind it. */
  #leaveBacklog(after: number): void {
    const { log, clock, limits, budget } = this.#deps;
    const end = log.head() - limits.freshEvents;
    if (end <= after || this.#cursor.ahead.count >= AHEAD_MAX) return;
    const [oldest] = log.readAfter(after, { limitEvents: 1 });
    const staleAfterMs = limits.staleAfterMs + 3 * budget.gatherMs;
    if (oldest === undefined || clock.nowMs() - oldest.timeMs < staleAfterMs) return;
    this.#jump(end);
    this.#cursor.openBacklog(end);
  }

  /** Goes on from there; what was gathered before is packed by itself. */
  #jump(offset: number): void {
    this.#pack();
    this.#position = offset;
    this.#gatheredAfter = offset;
  }

  async #step(signal: AbortSignal): Promise<void> {
    const { log, clock, budget } = this.#deps;
    this.#leaveSealed();
    const to = log.head();
    const spanMs = clock.monotonicMs() - this.#steppedMs;
    this.#steppedMs += spanMs;
    let bytes = 0;
    let messages = 0;
    do {
      this.#read(to);
      const parcels = this.#pack();
      bytes += parcels.reduce((sum, parcel) => sum + parcel.bytes, 0);
      messages += parcels.length;
    } while ((await this.#hand(signal)) && (this.#position ?? to) < to);
    if (messages > 0) budget.gathered(Math.max(spanMs, budget.gatherMs / 2), bytes, messages);
  }

  /** Reads what comes next, up to `to`, as much as may be held. */
  #read(to: number): void {
    const { log, limits } = this.#deps;
    if (this.#position === undefined) return;
    let position = this.#position;
    while (position < to && this.#gatheredSamples < limits.encodeSamplesMax) {
      const limitEvents = this.#readSize.events;
      const read = log.readAfter(position, { limitEvents });
      this.#readSize.saw(read);
      for (const event of read) {
        if (event.type === "telemetry") this.#gatheredSamples += event.data.samples.length;
        this.#gathered.push(event);
      }
      const last = read.at(-1)?.offset ?? to;
      position = read.length < limitEvents ? Math.max(to, last) : last;
    }
    this.#position = position;
  }

  /** Encodes what was gathered; it waits to be handed over. */
  #pack(): readonly Parcel[] {
    const { site, live, tooLarge } = this.#deps;
    const after = this.#gatheredAfter;
    const end = this.#position ?? after;
    if (end <= after) return [];
    const oldest = { timeMs: this.#gathered[0]?.timeMs ?? 0 };
    const { frames, tooLarge: misfits } = packLive(this.#gathered, BODY_BYTES_MAX);
    for (const event of misfits) tooLarge("telemetry", event);
    this.#gathered = [];
    this.#gatheredSamples = 0;
    this.#gatheredAfter = end;
    let left = frames.length;
    const settled = (): void => {
      if (--left > 0) return;
      this.#unsettledMs.delete(oldest);
      this.#cursor.freshDone(after, end);
    };
    if (left > 0) this.#unsettledMs.add(oldest);
    else this.#cursor.freshDone(after, end);
    const parcels = frames.map((frame): Parcel => {
      const message = messageOf("telemetry", site, { body: frame.body, contentType: FRAME_CONTENT_TYPE });
      live({ message, samples: frame.samples });
      return { message, bytes: bytesOf(message), events: frame.events, contents: frame.contents, settled };
    });
    this.#waiting.push(...parcels);
    return parcels;
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
    for (let leftMs = nextMs - nowMs; leftMs > 0 && !signal.aborted; leftMs = nextMs - clock.monotonicMs()) {
      await clock.sleep(Math.max(1, Math.min(READ_MS, leftMs)), signal);
      // While what is packed does not go, nothing is added to it.
      if (signal.aborted || this.#waiting.length > 0) continue;
      this.#leaveSealed();
      this.#read(this.#deps.log.head());
    }
  }
}
