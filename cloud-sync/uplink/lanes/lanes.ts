import type { EdgeError } from "../../../edge/kernel/errors.ts";
import { readBlockHead } from "../../contract/block/block.ts";
import type { HubSession, Lane, LaneStatus } from "../ports.ts";
import type { RateMeter } from "../rate-meter.ts";
import type { Waiting } from "../silence.ts";
import { SharedLine, Window, type WindowOptions } from "../window.ts";
import { BacklogSender } from "./backlog-sender.ts";
import { FreshSender } from "./fresh-sender.ts";
import { EpochWatch, type LaneDeps } from "./lane-deps.ts";
import { PriorityLane } from "./priority-lane.ts";
import { ResendSender } from "./resend-sender.ts";
import { TelemetryCursor } from "./telemetry-cursor.ts";

/** Windows are apart: neither a backlog nor what is fresh takes the place of what is urgent. */
const FRESH_SHARE = 4;
const FRESH_MESSAGES_MIN = 2;

export interface LanesOptions {
  readonly deps: LaneDeps;
  readonly windowMessages: number;
  readonly window: Omit<WindowOptions, "messagesMax" | "bytesMax" | "clock" | "line" | "broken">;
  /** 0..1 */
  readonly phase: number;
}

/** Both lanes: what they send, what is under way, how far they are. */
export class Lanes {
  readonly priority: Window;
  readonly #deps: LaneDeps;
  readonly #windows: readonly Window[];
  readonly #cursor: TelemetryCursor;
  readonly #priorityLane: PriorityLane;
  readonly #fresh: FreshSender;
  readonly #backlog: BacklogSender;
  readonly #resend: ResendSender;
  readonly #epoch: EpochWatch;
  readonly #line = new SharedLine();
  #isLoaded = false;
  #fail: ((error: unknown) => void) | undefined;

  constructor({ deps, windowMessages, window, phase }: LanesOptions) {
    this.#deps = deps;
    const { clock, limits } = deps;
    const line = this.#line;
    const windowOf = (messagesMax: number): Window =>
      new Window({
        ...window,
        clock,
        line,
        messagesMax,
        bytesMax: limits.windowBytesMax,
        broken: (error) => this.#broken(error),
      });
    const fresh = windowOf(Math.max(FRESH_MESSAGES_MIN, Math.floor(windowMessages / FRESH_SHARE)));
    const backlog = windowOf(windowMessages);
    this.priority = windowOf(limits.priorityMessages);
    this.#windows = [this.priority, fresh, backlog];
    this.#cursor = new TelemetryCursor(deps.log);
    this.#priorityLane = new PriorityLane(deps, this.priority);
    this.#fresh = new FreshSender(deps, this.#cursor, fresh, phase);
    this.#backlog = new BacklogSender(deps, this.#cursor, backlog);
    this.#resend = new ResendSender(deps, backlog);
    this.#epoch = new EpochWatch(deps.log);
  }

  attach(session: HubSession): void {
    for (const window of this.#windows) window.attach(session);
    for (const window of this.#windows) window.begin();
  }

  /** Whether anything was acknowledged in this session. */
  get hasPassed(): boolean {
    return this.#line.hasPassed;
  }

  detach(): void {
    for (const window of this.#windows) window.detach();
  }

  get inFlight(): number {
    return this.#windows.reduce((sum, { inFlight }) => sum + inFlight, 0);
  }

  /** Nothing that was read counts any more: it is read anew, from the cursors on. */
  forget(): void {
    for (const part of [...this.#windows, this.#priorityLane, this.#fresh, this.#backlog]) part.forget();
    this.#isLoaded = false;
  }

  /** Works until the signal aborts. @throws EdgeError of the log, after which `forget` is due */
  async run(signal: AbortSignal): Promise<void> {
    if (this.#epoch.hasChanged()) this.forget();
    if (!this.#isLoaded) this.#cursor.load();
    this.#isLoaded = true;
    const failed = new AbortController();
    const life = AbortSignal.any([signal, failed.signal]);
    let first: { readonly error: unknown } | undefined;
    const fail = (error: unknown): void => {
      first ??= { error };
      failed.abort();
    };
    this.#fail = fail;
    const lanes = [this.#priorityLane, this.#fresh, this.#backlog, this.#resend].map((lane) =>
      lane.run(life).catch(fail),
    );
    let isAnother = false;
    const turn = (): void => {
      isAnother = true;
      failed.abort();
    };
    await Promise.all([...lanes, this.#watchEpoch(life, turn)]);
    this.#fail = undefined;
    if (isAnother) this.forget();
    if (first !== undefined) throw first.error;
  }

  /** While the lanes do not run, what is read next is read from the cursors anyway. */
  #broken(error: unknown): void {
    if (this.#fail) this.#fail(error);
    else this.forget();
  }

  /** Another log has taken the place of the one that is read: begin anew with it. */
  async #watchEpoch(signal: AbortSignal, changed: () => void): Promise<void> {
    while (!signal.aborted) {
      await this.#deps.clock.sleep(1_000, signal);
      if (!signal.aborted && this.#epoch.hasChanged()) changed();
    }
  }

  /** What waits for an acknowledgement, in all lanes together. */
  waiting(): Waiting {
    const underWay = this.#windows.map((window) => window.underWay());
    const bytes = underWay.reduce((sum, each) => sum + each.bytes, 0);
    if (bytes === 0) return { silentMs: 0, expectedMs: undefined };
    const { bytesPerMs, progressMs } = this.#line;
    const sinceMs = Math.max(progressMs, Math.min(...underWay.map(({ oldestSentMs }) => oldestSentMs)));
    return {
      silentMs: this.#deps.clock.monotonicMs() - sinceMs,
      expectedMs: bytesPerMs === undefined ? undefined : bytes / bytesPerMs,
    };
  }

  /** What may go by now goes; why the session is no good, when it is not. */
  look(sendTimeoutMs: number): EdgeError | undefined {
    for (const window of this.#windows) {
      const error = window.look(sendTimeoutMs);
      if (error) return error;
    }
    return undefined;
  }

  status(rates: Readonly<Record<Lane, RateMeter>>): Record<Lane, LaneStatus> {
    if (!this.#isLoaded) this.#cursor.load();
    this.#isLoaded = true;
    const { log } = this.#deps;
    const head = log.head();
    const priority = this.#priorityLane;
    return {
      priority: this.#statusOf(priority.offset, priority.waitingEvents, priority.oldestMs, rates.priority),
      telemetry: this.#statusOf(
        this.#cursor.taken,
        Math.max(0, head - this.#cursor.taken),
        head > this.#cursor.taken ? this.#oldestMs() : undefined,
        rates.telemetry,
      ),
    };
  }

  #statusOf(offset: number, backlogEvents: number, oldestMs: number | undefined, rate: RateMeter): LaneStatus {
    const { eventsPerSecond, bytesPerSecond } = rate.perSecond();
    const lagMs = oldestMs === undefined ? 0 : Math.max(0, this.#deps.clock.nowMs() - oldestMs);
    const isDraining = backlogEvents > 0 && eventsPerSecond > 0;
    const drainMs = isDraining ? Math.round((backlogEvents / eventsPerSecond) * 1_000) : null;
    return { offset, backlogEvents, lagMs, eventsPerSecond, bytesPerSecond, drainMs, total: rate.total };
  }

  /** Time of about the oldest event of telemetry that waits; nothing is decoded for it. */
  #oldestMs(): number | undefined {
    const { log } = this.#deps;
    const { taken, backlogEnd } = this.#cursor;
    const freshMs = this.#fresh.oldestMs;
    if (backlogEnd === undefined && freshMs !== undefined) return freshMs;
    const [block] = log.readBlocks(taken, { limitBytes: 1 });
    if (block === undefined) return log.readAfter(taken, { limitEvents: 1 })[0]?.timeMs;
    if (block.bytes === undefined) return undefined;
    const { fromMs, toMs, firstOffset, lastOffset } = readBlockHead(block.bytes);
    const share = Math.max(0, taken - firstOffset) / Math.max(1, lastOffset - firstOffset);
    return fromMs + share * (toMs - fromMs);
  }
}
