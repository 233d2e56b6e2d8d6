import type { Clock } from "../../edge/kernel/clock.ts";
import { EdgeError, messageOf } from "../../edge/kernel/errors.ts";
import { Bell } from "./bell.ts";
import { isTooLarge, type Parcel } from "./parcel.ts";
import type { HubSession } from "./ports.ts";

/** A message that was under way so often when the line was lost is under suspicion: it goes alone. */
const LOSSES_SUSPECT = 3;
/** Alone under way at so many losses, while others pass: it cannot go. */
const LOSSES_MAX = 5;
/** So long a suspect waits for others to pass before it, on a new session. */
const SUSPECT_PAUSE_MS = 10_000;
/** Before a message that the hub did not take for now goes again. */
const AGAIN_MS = 1_000;
/** Under way for so many send timeouts, while others are acknowledged: it is forgotten by who should have sent it. */
const FORGOTTEN_TIMEOUTS = 3;

/** Bytes under way are as many as the line takes within this time: what is urgent then has not much before it. */
const DELAY_MS_MAX = 2_000;
const BYTES_FIRST = 512 * 1024;
const BYTES_MIN = 64 * 1024;
const BYTES_BACKOFF = 0.7;

/** Of the newest acknowledgement in what is known of the line's speed. */
const SPEED_WEIGHT = 0.3;
/** An acknowledgement that comes within this time comes without delay. */
const PROMPT_MS = 1_000;

/** What the windows of one session know of each other. */
export class SharedLine {
  /** Whether anything was acknowledged in this session. */
  hasPassed = false;
  underWay = 0;
  /** A suspect is under way: nothing else goes. */
  isTrial = false;
  openedMs = 0;
  /** When the last acknowledgement came, or the session began. */
  progressMs = 0;
  /** Bytes acknowledged in a millisecond with something under way, also of sessions before; undefined before the first. */
  bytesPerMs: number | undefined;

  opened(nowMs: number): void {
    this.progressMs = nowMs;
    this.hasPassed = false;
    this.underWay = 0;
    this.isTrial = false;
    this.openedMs = nowMs;
  }

  /** @param sentMs when that was sent which is acknowledged now */
  acknowledged(bytes: number, sentMs: number, nowMs: number): void {
    const speed = bytes / Math.max(1, nowMs - Math.max(sentMs, this.progressMs));
    this.bytesPerMs =
      this.bytesPerMs === undefined ? speed : this.bytesPerMs + SPEED_WEIGHT * (speed - this.bytesPerMs);
    this.progressMs = nowMs;
    this.hasPassed = true;
  }
}

interface Slot {
  readonly parcel: Parcel;
  sentMs: number;
  isUnderWay: boolean;
  /** How often the line was lost while it was under way. */
  losses: number;
  notBeforeMs: number;
}

export interface WindowOptions {
  readonly line: SharedLine;
  readonly messagesMax: number;
  readonly bytesMax: number;
  readonly clock: Clock;
  readonly acknowledged: (parcel: Parcel) => void;
  /** An acknowledgement came without delay. */
  readonly prompt: () => void;
  /** Durable when it returns: after it the message counts as done with. */
  readonly setAside: (parcel: Parcel, error: EdgeError, attempts: number) => void;
  readonly throttled: () => void;
  /** The session is no good any more. */
  readonly failed: (error: EdgeError) => void;
  /** What was done with a message could not be noted: it counts as not done, and is read anew. */
  readonly broken: (error: unknown) => void;
}

/**
 * A lane's messages under way: bounded, acknowledged in any order, sent again in their order on the next session when they
 * were not acknowledged. One that cannot go is set aside, and the rest goes on.
 */
export class Window {
  readonly #options: WindowOptions;
  readonly #bell = new Bell();
  #slots: Slot[] = [];
  #session: HubSession | undefined;
  #progressMs = 0;
  #bytesAllowed = BYTES_FIRST;

  constructor(options: WindowOptions) {
    this.#options = options;
  }

  /** Messages that are not done with. */
  get inFlight(): number {
    return this.#slots.length;
  }

  get #bytes(): number {
    return this.#slots.reduce((sum, { parcel }) => sum + parcel.bytes, 0);
  }

  /** Waits until another message may be handed in; false on abort. */
  async room(signal: AbortSignal): Promise<boolean> {
    const { messagesMax } = this.#options;
    while (!signal.aborted) {
      const count = this.#slots.length;
      if (count === 0 || (count < messagesMax && this.#bytes < this.#bytesAllowed)) return true;
      await this.#bell.next(signal);
    }
    return false;
  }

  /** Waits until all are done with; false on abort. */
  async empty(signal: AbortSignal): Promise<boolean> {
    while (!signal.aborted && this.#slots.length > 0) await this.#bell.next(signal);
    return !signal.aborted;
  }

  /** Sends it as soon as it may go; there should be room. */
  add(parcel: Parcel): void {
    this.#slots.push({ parcel, sentMs: 0, isUnderWay: false, losses: 0, notBeforeMs: 0 });
    this.#pump();
  }

  /** A new session: what was not acknowledged goes again, in its order. */
  attach(session: HubSession): void {
    this.#session = session;
    this.#progressMs = this.#options.clock.monotonicMs();
    this.#options.line.opened(this.#progressMs);
    for (const slot of this.#slots) slot.notBeforeMs = 0;
  }

  /** After all windows are attached. */
  begin(): void {
    this.#pump();
  }

  /** The session is lost. */
  detach(): void {
    if (this.#session === undefined) return;
    this.#session = undefined;
    for (const slot of this.#slots) {
      if (slot.isUnderWay) slot.losses++;
      slot.isUnderWay = false;
    }
  }

  /** What is not done with is no longer wanted: its place in the log is read anew. Dead letters have no place there. */
  forget(): void {
    this.#slots = this.#slots.filter(({ parcel }) => parcel.deadLetterId !== undefined);
    this.#bell.ring();
  }

  /** Of what is under way. */
  underWay(): { readonly bytes: number; readonly oldestSentMs: number } {
    const slots = this.#slots.filter(({ isUnderWay }) => isUnderWay);
    return {
      bytes: slots.reduce((sum, { parcel }) => sum + parcel.bytes, 0),
      oldestSentMs: Math.min(...slots.map(({ sentMs }) => sentMs)),
    };
  }

  /** Sends what may go by now, and says whether the hub has stopped to acknowledge. */
  look(sendTimeoutMs: number): EdgeError | undefined {
    const nowMs = this.#options.clock.monotonicMs();
    const underWay = this.#slots.filter(({ isUnderWay }) => isUnderWay);
    const oldest = underWay[0];
    if (oldest !== undefined) {
      const sinceMs = Math.max(this.#progressMs, Math.min(...underWay.map(({ sentMs }) => sentMs)));
      if (nowMs - sinceMs > sendTimeoutMs) return lostOf(`no acknowledgement for ${Math.round(nowMs - sinceMs)} ms`);
      const waitedMs = nowMs - Math.min(...underWay.map(({ sentMs }) => sentMs));
      if (waitedMs > sendTimeoutMs * FORGOTTEN_TIMEOUTS)
        return lostOf(`message ${oldest.parcel.message.id} was not acknowledged within ${Math.round(waitedMs)} ms`);
    }
    this.#pump();
    return undefined;
  }

  #pump(): void {
    for (let slot = this.#next(); slot !== undefined && this.#session !== undefined; slot = this.#next()) {
      if (isTooLarge(slot.parcel.bytes)) {
        const reason = `${slot.parcel.bytes} bytes are more than the hub takes`;
        this.#setAside(slot, new EdgeError("UPLINK_REFUSED", reason));
      } else void this.#send(slot, this.#session);
    }
  }

  #next(): Slot | undefined {
    const { line, clock } = this.#options;
    if (line.isTrial) return undefined;
    const nowMs = clock.monotonicMs();
    const ready = this.#slots.filter(({ isUnderWay, notBeforeMs }) => !isUnderWay && notBeforeMs <= nowMs);
    const isCareful = this.#slots.some(({ losses }) => losses >= LOSSES_SUSPECT);
    if (!isCareful) return ready[0];
    // First what is likely to pass; then, one at a time and alone on the line, what is suspected.
    const next = ready.toSorted((a, b) => a.losses - b.losses)[0];
    if (next === undefined || next.losses < LOSSES_SUSPECT) return next;
    const isDue = line.hasPassed || nowMs - line.openedMs >= SUSPECT_PAUSE_MS;
    return isDue && line.underWay === 0 ? next : undefined;
  }

  async #send(slot: Slot, session: HubSession): Promise<void> {
    const { line, clock } = this.#options;
    const isTrial = slot.losses >= LOSSES_SUSPECT;
    slot.isUnderWay = true;
    slot.sentMs = clock.monotonicMs();
    line.underWay++;
    line.isTrial = isTrial;
    const ended = (): void => {
      if (session !== this.#session) return;
      line.underWay--;
      if (isTrial) line.isTrial = false;
    };
    try {
      await session.send(slot.parcel.message);
    } catch (error) {
      ended();
      this.#refused(slot, session, error, isTrial);
      return;
    }
    ended();
    // The answer of a session that was given up is as good: the hub has the message.
    this.#progressMs = clock.monotonicMs();
    line.acknowledged(slot.parcel.bytes, slot.sentMs, this.#progressMs);
    const tookMs = this.#progressMs - slot.sentMs;
    if (tookMs <= PROMPT_MS) this.#options.prompt();
    const isLate = tookMs > DELAY_MS_MAX;
    this.#bytesAllowed = isLate
      ? Math.max(BYTES_MIN, this.#bytesAllowed * BYTES_BACKOFF)
      : Math.min(this.#options.bytesMax, this.#bytesAllowed + slot.parcel.bytes);
    if (!this.#remove(slot)) return;
    this.#note(() => {
      this.#options.acknowledged(slot.parcel);
      slot.parcel.settled("acknowledged");
    });
    this.#pump();
    this.#bell.ring();
  }

  #refused(slot: Slot, session: HubSession, cause: unknown, isTrial: boolean): void {
    if (session !== this.#session || !this.#slots.includes(slot)) return;
    const error = cause instanceof EdgeError ? cause : lostOf(messageOf(cause), cause);
    if (error.code === "UPLINK_REFUSED") {
      this.#setAside(slot, error);
      this.#pump();
      return;
    }
    if (error.code === "UPLINK_THROTTLED") {
      slot.isUnderWay = false;
      slot.notBeforeMs = this.#options.clock.monotonicMs() + AGAIN_MS;
      this.#progressMs = this.#options.clock.monotonicMs();
      this.#options.throttled();
      return;
    }
    if (isTrial && this.#options.line.hasPassed && slot.losses + 1 >= LOSSES_MAX) {
      const reason = `the line was lost ${slot.losses + 1} times while this message was sent, and others passed`;
      this.#setAside(slot, new EdgeError("UPLINK_REFUSED", reason, { cause: error }));
    }
    this.#options.failed(error);
  }

  #setAside(slot: Slot, error: EdgeError): void {
    this.#remove(slot);
    this.#note(() => {
      this.#options.setAside(slot.parcel, error, slot.losses + 1);
      slot.parcel.settled("dead");
    });
    this.#bell.ring();
  }

  /** The log's disk may refuse. */
  #note(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#options.broken(error);
    }
  }

  #remove(slot: Slot): boolean {
    const at = this.#slots.indexOf(slot);
    if (at >= 0) this.#slots.splice(at, 1);
    return at >= 0;
  }
}

function lostOf(message: string, cause?: unknown): EdgeError {
  return new EdgeError("UPLINK_LOST", message, {
    cause,
    hint: "Nothing is lost: what was not acknowledged is sent again. If it lasts, look at the line and at the hub.",
  });
}
