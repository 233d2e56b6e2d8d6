import type { Logger } from "pino";
import { backoffMs } from "../../edge/kernel/backoff.ts";
import type { Clock } from "../../edge/kernel/clock.ts";
import type { Component } from "../../edge/kernel/component.ts";
import type { UplinkConfig } from "../../edge/kernel/config/model.ts";
import { EdgeError, messageOf as messageOfError } from "../../edge/kernel/errors.ts";
import { FailureLog } from "../../edge/kernel/failure-log.ts";
import type { EventLog } from "../../edge/log/event-log.ts";
import type { JsonObject, StoredEvent } from "../contract/event.ts";
import { Accounts } from "./accounts.ts";
import { Budget } from "./budget.ts";
import { Knocking } from "./knocking.ts";
import { Lanes } from "./lanes/lanes.ts";
import { UPLINK_LIMITS, type UplinkLimits } from "./limits.ts";
import { Line } from "./line.ts";
import { LineEvents } from "./line-events.ts";
import { Pace } from "./pace.ts";
import { stretchOf } from "./pack/pack-live.ts";
import { bytesOf, messageOf, type Parcel } from "./parcel.ts";
import type { HubConnector, HubSession, Lane, UplinkStatus } from "./ports.ts";
import { SilenceWatch } from "./silence.ts";
import type { UplinkState } from "./state/uplink-state.ts";

/** What is under way is looked at so often. */
const LOOK_MS = 500;
const STATUS_MS = 1_000;
/** After an error of the log, before it is read again. */
const LOG_PAUSE = { baseMs: 1_000, maxMs: 60_000 };
/** Sessions that end so soon, one after the other: the hub may be throttling by hanging up. */
const SHORT_SESSION_MS = 5_000;
const SHORT_SESSIONS = 3;
/** A session may take so long to close: an orderly end, and one that is given up, whose line may be dead. */
const CLOSE_MS_MAX = 3_000;
const ABANDON_MS_MAX = 300;

export interface UplinkOptions {
  /** Appends and moves cursors too; one that follows when the file is replaced. */
  readonly log: EventLog;
  readonly state: UplinkState;
  readonly connector: HubConnector;
  readonly config: UplinkConfig;
  readonly site: string;
  readonly clock: Clock;
  readonly logger: Logger;
  /** 0..1, for jitter. Default Math.random. */
  readonly random?: () => number;
  readonly limits?: Partial<UplinkLimits>;
}

/** Forwards the log to the hub, whenever there is a line: store and forward. Promises: README.md. */
export class Uplink implements Component {
  readonly name = "uplink";
  readonly #options: UplinkOptions;
  readonly #accounts: Accounts;
  readonly #pace: Pace;
  readonly #budget: Budget;
  readonly #line: Line;
  readonly #silence: SilenceWatch;
  readonly #lanes: Lanes;
  readonly #events: LineEvents;
  readonly #logFailures: FailureLog;
  readonly #stateFailures: FailureLog;
  readonly #retrying = new Set<number>();
  #session: HubSession | undefined;
  #shortSessions = 0;
  #giveUp: ((error: EdgeError) => void) | undefined;

  constructor(options: UplinkOptions) {
    this.#options = options;
    const { log, state, connector, config, site, clock, logger, random = Math.random } = options;
    this.#accounts = new Accounts(state, clock);
    this.#pace = new Pace(clock, config.bytesPerSecondMax);
    this.#budget = new Budget(config);
    this.#logFailures = new FailureLog(logger, clock, { component: "uplink", part: "log" });
    this.#stateFailures = new FailureLog(logger, clock, { component: "uplink", part: "state" });
    this.#events = new LineEvents({ log, site, clock, address: connector.description, logger });
    const knocking = new Knocking(connector, clock, random);
    this.#silence = new SilenceWatch(clock, knocking, config.sendTimeoutMs);
    this.#line = new Line({
      connector,
      knocking,
      clock,
      random,
      failures: new FailureLog(logger, clock, { component: "uplink", hub: connector.description }),
      changed: () => this.#lineChanged(),
    });
    this.#lanes = new Lanes({
      deps: {
        log,
        state,
        clock,
        logger,
        site,
        limits: { ...UPLINK_LIMITS, ...options.limits },
        pace: this.#pace,
        budget: this.#budget,
        usedUnits: () => this.#accounts.today().units,
        tooLarge: (lane, event) => this.#tooLarge(lane, event),
        live: (facts) => this.#accounts.live(facts),
      },
      windowMessages: config.windowMessages,
      window: {
        acknowledged: (parcel) => this.#accounts.acknowledged(parcel),
        prompt: () => this.#silence.prompt(),
        setAside: (parcel, error, attempts) => this.#setAside(parcel, error, attempts),
        throttled: () => this.#pace.throttled(),
        failed: (error) => this.#giveUp?.(error),
      },
      phase: random(),
    });
  }

  /** As of now. @throws EdgeError of the log */
  status(): UplinkStatus {
    const { clock, connector, config, state } = this.#options;
    return {
      updatedMs: clock.nowMs(),
      state: this.#line.state,
      sinceMs: this.#line.sinceMs,
      hub: connector.description,
      lastError: this.#line.lastError,
      lastAckMs: this.#accounts.lastAckMs,
      lanes: this.#lanes.status(this.#accounts.rates),
      inFlight: this.#lanes.inFlight,
      bytesPerSecondMax: this.#pace.bytesPerSecond ?? null,
      gatherMs: Math.round(this.#budget.gatherMs),
      today: { ...this.#accounts.today(), unitsMax: config.unitsPerDayMax ?? null },
      recent: this.#accounts.recent,
      deadLetters: state.deadLetterCount(),
    };
  }

  /** Another rate from now on, over restarts: null for no limit, undefined for the configuration's. */
  setRate(bytesPerSecondMax: number | null | undefined): void {
    this.#options.state.setRateOverride(bytesPerSecondMax);
    this.#followRate();
  }

  /** Sends a range of a stream again; false when too many ranges wait already. */
  resend(machineId: string, firstSeq: number, lastSeq: number): boolean {
    return this.#options.state.addResend(machineId, firstSeq, lastSeq);
  }

  /**
   * Merge patch of the reported properties.
   * @throws EdgeError UPLINK_LOST also while there is no line, UPLINK_REFUSED
   */
  async report(patch: JsonObject): Promise<void> {
    if (this.#session === undefined) throw new EdgeError("UPLINK_LOST", "there is no line to the hub now");
    await this.#session.report(patch);
  }

  async run(signal: AbortSignal, ready: () => void): Promise<void> {
    ready();
    const housekeeping = this.#keepHouse(signal);
    while (!signal.aborted) {
      const session = await this.#line.open(signal);
      if (session === undefined) break;
      const openedMs = this.#options.clock.monotonicMs();
      const error = await this.#serve(session, signal);
      const isShort = this.#options.clock.monotonicMs() - openedMs < SHORT_SESSION_MS;
      this.#shortSessions = isShort ? this.#shortSessions + 1 : 0;
      if (this.#shortSessions >= SHORT_SESSIONS) this.#pace.throttled();
      if (error !== undefined && !signal.aborted) await this.#line.lost(error, this.#lanes.hasPassed, signal);
    }
    this.#line.stop();
    this.#saveStatus();
    await housekeeping;
  }

  /** Sends until the session is lost or given up, and says why. */
  async #serve(session: HubSession, signal: AbortSignal): Promise<EdgeError | undefined> {
    const over = new AbortController();
    const life = AbortSignal.any([signal, over.signal]);
    let why: EdgeError | undefined;
    const giveUp = (error: EdgeError): void => {
      why ??= error;
      over.abort();
    };
    this.#session = session;
    this.#giveUp = giveUp;
    void session.lost.then(giveUp);
    this.#lanes.attach(session);
    try {
      const silence = this.#silence.run(() => this.#lanes.waiting(), giveUp, life);
      await Promise.all([this.#runLanes(life), this.#watch(giveUp, life), silence]);
    } finally {
      over.abort();
      this.#lanes.detach();
      this.#giveUp = undefined;
      this.#session = undefined;
      await this.#close(session, signal.aborted ? CLOSE_MS_MAX : ABANDON_MS_MAX);
    }
    return why;
  }

  async #runLanes(signal: AbortSignal): Promise<void> {
    const { clock, random } = this.#options;
    let failed = 0;
    while (!signal.aborted) {
      const startMs = clock.monotonicMs();
      try {
        await this.#lanes.run(signal);
        this.#logFailures.recovered();
      } catch (error) {
        if (!isOfFile(error)) throw error;
        this.#logFailures.failed(error);
        this.#lanes.forget();
        // What was under way goes again each time, and each time it is charged.
        if (clock.monotonicMs() - startMs > LOG_PAUSE.maxMs) failed = 0;
        await clock.sleep(backoffMs(failed++, random === undefined ? LOG_PAUSE : { ...LOG_PAUSE, random }), signal);
      }
    }
  }

  /** Progress is what is acknowledged; without, the session is given up. */
  async #watch(giveUp: (error: EdgeError) => void, signal: AbortSignal): Promise<void> {
    const { clock, config } = this.#options;
    while (!signal.aborted) {
      const error = this.#lanes.look(config.sendTimeoutMs);
      if (error) giveUp(error);
      await clock.sleep(LOOK_MS, signal);
    }
  }

  async #close(session: HubSession, withinMs: number): Promise<void> {
    const closed = new AbortController();
    const closing = Promise.resolve(session[Symbol.asyncDispose]()).catch(() => undefined);
    await Promise.race([closing, this.#options.clock.sleep(withinMs, closed.signal)]);
    closed.abort();
  }

  async #keepHouse(signal: AbortSignal): Promise<void> {
    const { clock, state } = this.#options;
    while (!signal.aborted) {
      try {
        this.#followRate();
        this.#budget.plan(clock.nowMs(), this.#accounts.today().units);
        this.#tryAgain();
        state.saveStatus(this.status());
        this.#stateFailures.recovered();
      } catch (error) {
        if (!isOfFile(error)) throw error;
        this.#stateFailures.failed(error);
      }
      await clock.sleep(STATUS_MS, signal);
    }
  }

  #followRate(): void {
    const { state, config } = this.#options;
    const override = state.rateOverride();
    this.#pace.bytesPerSecond = override === undefined ? config.bytesPerSecondMax : (override ?? undefined);
  }

  #saveStatus(): void {
    const { state, logger } = this.#options;
    try {
      state.saveStatus(this.status());
    } catch (error) {
      // The log or the disk refuses just now; the next second tries again.
      logger.debug({ err: error }, "the status could not be saved");
    }
  }

  /** Dead letters that people want sent again. */
  #tryAgain(): void {
    const { state, clock } = this.#options;
    if (this.#session === undefined) return;
    for (const { id, message } of state.wantedAgain()) {
      if (this.#retrying.has(id)) continue;
      if (message === undefined) {
        state.keepDeadLetter(id, "UPLINK_REFUSED", "only the description was kept", clock.nowMs());
        continue;
      }
      this.#retrying.add(id);
      this.#lanes.priority.add({
        message,
        bytes: bytesOf(message),
        events: 0,
        contents: [],
        deadLetterId: id,
        settled: (outcome) => {
          this.#retrying.delete(id);
          if (outcome === "acknowledged") state.removeDeadLetter(id);
        },
      });
    }
  }

  #setAside({ message, contents, deadLetterId }: Parcel, error: EdgeError, attempts: number): void {
    const { state, clock, logger } = this.#options;
    const atMs = clock.nowMs();
    if (deadLetterId !== undefined) {
      this.#retrying.delete(deadLetterId);
      state.keepDeadLetter(deadLetterId, error.code, error.message, atMs);
      return;
    }
    const { code, message: reason } = error;
    const id = state.addDeadLetter({ message, code, reason, contents, attempts, atMs });
    logger.error(
      { deadLetter: id, code, reason, contents: contents.slice(0, 10) },
      "a message cannot go and was set aside",
    );
    this.#events.setAside(id, message, reason);
  }

  #tooLarge(lane: Lane, event: StoredEvent): void {
    const message = messageOf(lane, this.#options.site, { body: Buffer.alloc(0), contentType: "application/json" });
    const contents = [stretchOf(event.machineId, event.seq, event.seq)];
    const error = new EdgeError("UPLINK_REFUSED", `an event of ${event.type} is larger than a message may be`);
    const none = { bytes: 0, events: 1, settled: () => undefined };
    this.#setAside({ message, contents, ...none }, error, 0);
  }

  #lineChanged(): void {
    try {
      this.#events.tell(this.#line.state, this.#line.lastError);
    } catch (error) {
      this.#options.logger.debug({ reason: messageOfError(error) }, "the line's state could not be told");
    }
    this.#saveStatus();
  }
}

/** Of the log's or the uplink's own file: it may be well again in a second. */
function isOfFile(error: unknown): boolean {
  return (
    error instanceof EdgeError || (error instanceof Error && "code" in error && /^SQLITE/.test(String(error.code)))
  );
}
