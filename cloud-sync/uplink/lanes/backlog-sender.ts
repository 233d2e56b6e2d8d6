import type { StoredBlock } from "../../../edge/log/event-log.ts";
import { decodeBlock } from "../../contract/block/block.ts";
import type { DecodedBlock } from "../../contract/block/decoded-block.ts";
import type { StoredEvent } from "../../contract/event.ts";
import { encodeBundle } from "../../contract/frame/bundle.ts";
import { FRAME_CONTENT_TYPE } from "../../contract/frame/frame.ts";
import { packLive } from "../pack/pack-live.ts";
import { runsOf } from "../pack/runs.ts";
import { type BacklogPart, FrameFiller, rollupPartOf, type StoredFrame } from "../pack/stored-frame.ts";
import { bytesOf, messageOf, type Parcel, unitsOf } from "../parcel.ts";
import { Sequence } from "../sequence.ts";
import type { Window } from "../window.ts";
import { type LaneDeps, ReadSize } from "./lane-deps.ts";
import type { TelemetryCursor } from "./telemetry-cursor.ts";

/** A budget's wait is cut, so that one that grows counts soon. */
const BUDGET_WAIT_MS_MAX = 5_000;
const BUDGET_WAIT_MS_MIN = 10;
/** A block of which so much is still to be sent goes whole. */
const RESENT_SHARE = 0.5;
/** Readings of a block that are made into events at once, when only some of them are to be sent. */
const SLICE_SAMPLES = 5_000;

/** Sends a backlog in the blocks that it is stored in, and at its end what is not sealed yet. */
export class BacklogSender {
  readonly #deps: LaneDeps;
  readonly #cursor: TelemetryCursor;
  readonly #window: Window;
  readonly #sequence = new Sequence();
  readonly #readSize: ReadSize;
  #filler = new FrameFiller();
  #waiting: Parcel[] = [];
  /** Blocks that end up to here were read. */
  #position: number | undefined;
  /** All up to here was read. */
  #whole = 0;

  constructor(deps: LaneDeps, cursor: TelemetryCursor, window: Window) {
    this.#deps = deps;
    this.#cursor = cursor;
    this.#window = window;
    this.#readSize = new ReadSize(deps.limits.readEventsMax);
  }

  /** What was read is read again, from the cursor on. */
  forget(): void {
    this.#position = undefined;
    this.#waiting = [];
    this.#filler = new FrameFiller();
    this.#sequence.forget();
  }

  /** For the life of a session. @throws EdgeError of the log */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const end = this.#cursor.backlogEnd;
      if (end === undefined) {
        if (this.#sequence.length === 0) this.#position = undefined;
        await this.#cursor.changed.next(signal);
      } else if (await this.#hand(signal)) await this.#step(end, signal);
    }
  }

  async #step(end: number, signal: AbortSignal): Promise<void> {
    if (this.#position === undefined) {
      this.#position = this.#cursor.taken;
      this.#whole = this.#cursor.whole;
    }
    if (this.#whole >= end) {
      await this.#cursor.changed.next(signal);
      return;
    }
    const { log, limits, clock } = this.#deps;
    const blocks = log.readBlocks(this.#position, { limitBytes: limits.sliceBytes });
    for (const block of blocks) {
      for (const part of this.#partsOf(block, end)) {
        const full = this.#filler.add(part, this.#deps.pace.backlogBodyBytesMax);
        if (full) this.#put(full);
      }
      this.#position = block.lastOffset;
    }
    if (blocks.length === 0) {
      const rest = this.#filler.finish();
      if (rest) this.#put(rest);
      this.#readTail(end);
    }
    if (await this.#hand(signal)) await clock.sleep(0, signal);
  }

  /** Whether an event is done with, or not the backlog's to send. */
  #isDone(offset: number, end: number): boolean {
    return offset <= this.#whole || offset > end || this.#cursor.ahead.has(offset);
  }

  /** What of a block is to be sent: mostly all of it, as it is stored. */
  #partsOf(block: StoredBlock, end: number): Iterable<BacklogPart> {
    const { firstOffset, lastOffset, bytes, machineId, firstSeq, lastSeq, samples } = block;
    const { ahead } = this.#cursor;
    if (lastOffset <= this.#whole || firstOffset > end || ahead.covers(firstOffset, lastOffset)) return [];
    const place = { machineId, firstSeq, lastSeq, samples, lastOffset };
    if (bytes === undefined) {
      const { epoch, signalNames: names, rollup: aggregates } = block;
      const rollup = { epoch, machineId, firstSeq, lastSeq, firstOffset, lastOffset, samples, names, aggregates };
      return [{ ...place, part: rollupPartOf(rollup) }];
    }
    const whole: BacklogPart = { ...place, part: { kind: "block", bytes } };
    if (firstOffset > this.#whole && lastOffset <= end && !ahead.touches(firstOffset, lastOffset)) return [whole];
    // Part of it has gone already, or goes with what is fresh. What comes twice is known by its seq, so that a block that is
    // mostly still to be sent goes as it is.
    const decoded = decodeBlock(bytes);
    const wanted = decoded.eventOffsets().map((offset) => (this.#isDone(offset, end) ? 0 : 1));
    const count = wanted.reduce((sum, is) => sum + is, 0);
    if (count === 0) return [];
    if (count >= wanted.length * RESENT_SHARE) return [whole];
    return this.#slicesOf(decoded, wanted, block);
  }

  /** The wanted events of a block, a few at a time; the cursor moves with the last of them. */
  *#slicesOf(
    block: DecodedBlock,
    wanted: Float64Array,
    { machineId, lastOffset }: StoredBlock,
  ): Generator<BacklogPart> {
    const { events, samples } = block.head;
    const step = Math.max(1, Math.floor((SLICE_SAMPLES * events) / Math.max(1, samples)));
    const before = this.#position ?? 0;
    const last = wanted.lastIndexOf(1);
    for (let from = wanted.indexOf(1); from <= last; from += step) {
      const to = Math.min(last + 1, from + step);
      const mine = block.events(from, to).filter((_, i) => wanted[from + i] === 1);
      const [first] = mine;
      if (first === undefined) continue;
      yield {
        machineId,
        firstSeq: first.seq,
        lastSeq: mine.at(-1)?.seq ?? first.seq,
        samples: mine.reduce((sum, event) => sum + (event.type === "telemetry" ? event.data.samples.length : 0), 0),
        part: { kind: "bundle", bytes: encodeBundle(runsOf(mine)) },
        lastOffset: to > last ? lastOffset : before,
      };
    }
  }

  /** Behind the last block: everything up to here is read, and what follows is not sealed yet. */
  #readTail(end: number): void {
    const { log } = this.#deps;
    this.#whole = Math.max(this.#whole, this.#position ?? 0);
    const position = this.#whole;
    this.#sequence.add(() => this.#cursor.wholeTo(position))();
    if (position >= end) return;
    const limitEvents = this.#readSize.events;
    const read = log.readAfter(position, { limitEvents });
    this.#readSize.saw(read);
    const lastOffset = read.length < limitEvents ? end : Math.min(end, read.at(-1)?.offset ?? end);
    const events = read.filter(({ offset }) => offset <= lastOffset && !this.#isDone(offset, end));
    this.#putEvents(events, () => this.#cursor.wholeTo(lastOffset));
    this.#position = lastOffset;
    this.#whole = lastOffset;
  }

  #put(frame: StoredFrame): void {
    const step = this.#sequence.add(() => this.#cursor.takenTo(frame.lastOffset));
    this.#waiting.push(this.#parcelOf(frame, step));
  }

  #putEvents(events: readonly StoredEvent[], done: () => void): void {
    const { frames, tooLarge } = packLive(events, this.#deps.pace.backlogBodyBytesMax);
    for (const event of tooLarge) this.#deps.tooLarge("telemetry", event);
    const step = this.#sequence.add(done);
    let left = frames.length;
    if (left === 0) step();
    this.#waiting.push(...frames.map((frame) => this.#parcelOf(frame, () => --left === 0 && step())));
  }

  #parcelOf(frame: Pick<StoredFrame, "body" | "events" | "contents">, settled: () => void): Parcel {
    const content = { body: frame.body, contentType: FRAME_CONTENT_TYPE };
    const message = messageOf("telemetry", this.#deps.site, content);
    return { message, bytes: bytesOf(message), events: frame.events, contents: frame.contents, settled };
  }

  /** Hands over what waits, at its pace; false on abort, when it goes on waiting. */
  async #hand(signal: AbortSignal): Promise<boolean> {
    const { pace } = this.#deps;
    for (let parcel = this.#waiting[0]; parcel !== undefined; parcel = this.#waiting[0]) {
      if (!(await this.#window.room(signal))) return false;
      if (!(await this.#affordable(unitsOf(parcel.bytes), signal))) return false;
      if (!(await pace.take(parcel.bytes, "backlog", signal))) return false;
      this.#waiting.shift();
      this.#window.add(parcel);
    }
    return !signal.aborted;
  }

  async #affordable(units: number, signal: AbortSignal): Promise<boolean> {
    const { budget, clock, usedUnits } = this.#deps;
    while (!signal.aborted) {
      const waitMs = budget.backlogWaitMs(clock.nowMs(), usedUnits(), units);
      if (waitMs <= 0) return true;
      await clock.sleep(Math.max(BUDGET_WAIT_MS_MIN, Math.min(waitMs, BUDGET_WAIT_MS_MAX)), signal);
    }
    return false;
  }
}
