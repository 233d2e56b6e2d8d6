import type { ClientSession } from "node-opcua-client";
import type { Logger } from "pino";
import type { Sample } from "../../../cloud-sync/contract/sample.ts";
import { backoffMs } from "../../kernel/backoff.ts";
import type { Clock } from "../../kernel/clock.ts";
import type { OpcuaClientConfig, OpcuaConnection, OpcuaMachine } from "../../kernel/config/model.ts";
import { EdgeError } from "../../kernel/errors.ts";
import { StatusCode } from "../../kernel/status-code.ts";
import { type Driver, type DriverStatus, type LinkState, PENDING_SAMPLES_MAX, PROBLEMS_MAX } from "../driver.ts";
import { expiryWarnings } from "./certificates.ts";
import { Delivery } from "./delivery.ts";
import { type Item, reconcileItems } from "./item.ts";
import { Ladder } from "./ladder.ts";
import { type OpcuaLink, openLink } from "./link.ts";
import { Outbox } from "./outbox.ts";
import { Poller } from "./poller.ts";
import { Publisher } from "./publisher.ts";
import { statusText, within } from "./services.ts";
import { Work } from "./work.ts";

/** A lost link is mended inside for this long; then the supervisor takes over, with its own backoff. */
const MEND_MS = 30_000;
const BACKOFF = { baseMs: 100, maxMs: 5_000 } as const;
const RETRY_MS = 30_000;
const SUBSCRIPTION_PROBE_MS = 60_000;
/** Part of DISPOSE_MS_MAX that the loop gets to end by itself. */
const STOP_MS = 500;

export interface OpcuaDriverDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly pendingSamplesMax?: number;
  /** Pause between two tries of signals that were refused or not found. */
  readonly retryMs?: number;
  /** Pause after which a driver that polls in place of a subscription tries to subscribe again. */
  readonly subscriptionProbeMs?: number;
}

/** OPC UA client for all machines behind one endpoint, on one session. */
export class OpcuaDriver implements Driver<OpcuaMachine> {
  readonly #connection: OpcuaConnection;
  readonly #config: OpcuaClientConfig;
  readonly #deps: OpcuaDriverDeps;
  readonly #outbox: Outbox;
  readonly #delivery: Delivery;
  readonly #publisher: Publisher;
  readonly #poller: Poller;
  readonly #ladder: Ladder;
  readonly #disposed = new AbortController();
  #items = new Map<string, Item>();
  #handle = 0;
  #state: LinkState = "disconnected";
  #link: OpcuaLink | undefined;
  /** Of a lost link, to be taken over by the next one. */
  #earlier: ClientSession | undefined;
  #work: Work | undefined;
  #running: Promise<void> | undefined;
  #fault: EdgeError | undefined;
  #warnings: readonly string[] = [];
  #sessions = 0;
  #resumptions = 0;

  constructor(connection: OpcuaConnection, config: OpcuaClientConfig, deps: OpcuaDriverDeps) {
    this.#connection = connection;
    this.#config = config;
    this.#deps = deps;
    this.#outbox = new Outbox(deps.pendingSamplesMax ?? PENDING_SAMPLES_MAX);
    this.#delivery = new Delivery(deps.clock, this.#outbox);
    this.#publisher = new Publisher(deps.clock, this.#delivery, new Map());
    this.#poller = new Poller({ clock: deps.clock, logger: deps.logger, delivery: this.#delivery });
    this.#ladder = new Ladder(deps.subscriptionProbeMs ?? SUBSCRIPTION_PROBE_MS);
    this.#items = reconcileItems(connection.machines, this.#items, () => ++this.#handle).items;
  }

  async connect(signal: AbortSignal): Promise<void> {
    if (this.#disposed.signal.aborted)
      throw new EdgeError("DRIVER_NOT_CONNECTED", "the driver was disposed", {
        statusCode: StatusCode.BadNotConnected,
      });
    await this.#drop();
    this.#state = "connecting";
    try {
      await this.#open(AbortSignal.any([signal, this.#disposed.signal]));
    } catch (error) {
      this.#state = "disconnected";
      throw error;
    }
  }

  async *samples(signal: AbortSignal): AsyncIterable<readonly Sample[]> {
    const stop = new AbortController();
    const ended = AbortSignal.any([signal, this.#disposed.signal, stop.signal]);
    let over = false;
    let fault: unknown;
    const wake = (): void => this.#outbox.wake();
    ended.addEventListener("abort", wake, { once: true });
    this.#running = this.#run(ended)
      .catch((error: unknown) => {
        fault = error;
      })
      .finally(() => {
        over = true;
        this.#outbox.wake();
      });
    try {
      while (!ended.aborted) {
        const batch = this.#outbox.take();
        if (batch !== undefined) yield batch;
        else if (over) break;
        else await this.#outbox.wait();
      }
      if (fault !== undefined && !ended.aborted) throw fault;
    } finally {
      ended.removeEventListener("abort", wake);
      stop.abort();
      await within(this.#running, STOP_MS);
    }
  }

  apply(machines: readonly OpcuaMachine[]): void {
    const { items, removed } = reconcileItems(machines, this.#items, () => ++this.#handle);
    this.#items = items;
    for (const item of removed) this.#publisher.byHandle.delete(item.handle);
    this.#work?.update(removed);
  }

  status(): DriverStatus {
    const problems: DriverStatus["problems"][number][] = [];
    let bad = 0;
    let subscribed = 0;
    for (const item of this.#items.values()) {
      if (item.problem !== null) {
        if (item.problem.statusCode >= 0x80000000) bad++;
        problems.push(item.problem);
      }
      if (item.subscription !== null) subscribed++;
    }
    problems.sort((a, b) => b.statusCode - a.statusCode);
    const state = this.#state === "connected" && this.#ladder.polling ? "degraded" : this.#state;
    return {
      state,
      detail: this.#detail(state, subscribed, bad),
      counters: {
        samples: this.#delivery.samples,
        overflowed: this.#outbox.overflowed,
        repeatsDropped: this.#delivery.repeatsDropped,
        notifications: this.#publisher.notifications,
        republished: this.#publisher.republished,
        sessions: this.#sessions,
        resumptions: this.#resumptions,
        ladderClimbs: this.#ladder.climbs,
        polls: this.#poller.polls,
        missedDeadlines: this.#poller.missedDeadlines,
      },
      problems: problems.slice(0, PROBLEMS_MAX),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed.abort();
    if (this.#running) await within(this.#running, STOP_MS);
    await this.#drop();
    this.#state = "disconnected";
  }

  async #open(signal: AbortSignal): Promise<void> {
    try {
      const earlier = this.#earlier;
      this.#link = await openLink(this.#connection, this.#config, this.#deps, signal, earlier);
      this.#earlier = undefined;
      if (this.#link.resumed) this.#resumptions++;
      else this.#sessions++;
      this.#fault = undefined;
      this.#state = "connected";
      this.#warnings = expiryWarnings(this.#config.pkiPath, this.#deps.clock.nowMs());
      for (const warning of this.#warnings) this.#deps.logger.warn({ warning }, "certificate needs attention");
    } catch (error) {
      if (error instanceof EdgeError) this.#fault = error;
      throw error;
    }
  }

  async #run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const link = this.#link;
      if (link === undefined)
        throw (
          this.#fault ??
          new EdgeError("DRIVER_NOT_CONNECTED", "connect first", { statusCode: StatusCode.BadNotConnected })
        );
      try {
        const { clock, logger, retryMs = RETRY_MS } = this.#deps;
        this.#work = new Work(link, this.#connection, () => this.#items, {
          clock,
          logger,
          retryMs,
          delivery: this.#delivery,
          publisher: this.#publisher,
          poller: this.#poller,
          ladder: this.#ladder,
        });
        await this.#work.run(signal);
      } catch (error) {
        await this.#mend(link, error, signal);
      } finally {
        this.#work = undefined;
      }
    }
  }

  /** Tells every signal at once that it is not Good, then opens a new link, taking the session over when it can. */
  async #mend(link: OpcuaLink, error: unknown, signal: AbortSignal): Promise<void> {
    const { clock, logger } = this.#deps;
    const fault =
      error instanceof EdgeError ? error : new EdgeError("DRIVER_NOT_CONNECTED", String(error), { cause: error });
    this.#fault = fault;
    this.#state = "connecting";
    this.#link = undefined;
    this.#markAll(fault.statusCode ?? StatusCode.BadNotConnected);
    logger.warn({ message: fault.message }, "link lost");
    if (fault.code === "DRIVER_REFUSED") {
      await link.close();
    } else {
      this.#earlier = link.session;
      await link.abandon();
    }
    const beganMs = clock.monotonicMs();
    for (let attempt = 0; !signal.aborted; attempt++) {
      try {
        await this.#open(signal);
        logger.info(
          { afterMs: Math.round(clock.monotonicMs() - beganMs), resumed: this.#link !== undefined },
          "link mended",
        );
        return;
      } catch (reason) {
        if (signal.aborted) return;
        if (!(reason instanceof EdgeError)) throw reason;
        this.#markAll(reason.statusCode ?? StatusCode.BadNotConnected);
        if (clock.monotonicMs() - beganMs > MEND_MS) {
          this.#state = "disconnected";
          throw reason;
        }
        await clock.sleep(backoffMs(attempt, BACKOFF), signal);
      }
    }
  }

  #markAll(statusCode: number): void {
    for (const item of this.#items.values()) this.#delivery.mark(item, statusCode);
  }

  async #drop(): Promise<void> {
    const link = this.#link;
    this.#link = undefined;
    if (link === undefined) return;
    this.#publisher.reset();
    await link.close();
  }

  #detail(state: LinkState, subscribed: number, bad: number): string {
    if (this.#fault !== undefined && state !== "connected")
      return `${this.#fault.message}${this.#fault.hint ? `; ${this.#fault.hint}` : ""}`;
    const parts = [`subscribed to ${subscribed} of ${this.#items.size} signals`];
    if (bad > 0) parts.push(`${bad} refused`);
    if (this.#ladder.polling)
      parts.push(
        `polling instead of a subscription${this.#ladder.refusal === null ? "" : ` (${statusText(this.#ladder.refusal)})`}`,
      );
    if (this.#poller.lateIntervalsMs.length > 0)
      parts.push(`polling is late at ${this.#poller.lateIntervalsMs.join(", ")} ms`);
    if (this.#connection.security.mode === "none") parts.push("not encrypted");
    return [...parts, ...this.#warnings].join(", ");
  }
}
