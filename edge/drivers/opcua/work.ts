import type { Logger } from "pino";
import type { Clock } from "../../kernel/clock.ts";
import type { OpcuaConnection } from "../../kernel/config/model.ts";
import { EdgeError } from "../../kernel/errors.ts";
import { StatusCode } from "../../kernel/status-code.ts";
import { addressOf, type Delivery } from "./delivery.ts";
import { detach, type Item } from "./item.ts";
import type { Ladder } from "./ladder.ts";
import { type OperationLimits, readOperationLimits } from "./limits.ts";
import type { OpcuaLink } from "./link.ts";
import { FALLBACK_INTERVAL_MS_MIN, type Poller } from "./poller.ts";
import type { Publisher } from "./publisher.ts";
import { readItems } from "./reader.ts";
import { readNamespaces, resolveItems } from "./resolve.ts";
import { SESSION_GONE, ServiceStatus, statusText } from "./services.ts";
import { createSubscription, deleteSubscriptions, monitor, unmonitor } from "./subscription.ts";
import { heartbeat, SilenceCheck, staleLink } from "./watch.ts";

/** An item that falls silent by itself so often is polled. */
const SILENCES_MAX = 2;

export interface WorkDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly delivery: Delivery;
  readonly publisher: Publisher;
  readonly poller: Poller;
  readonly ladder: Ladder;
  /** Pause between two tries of items that were refused or not found. */
  readonly retryMs: number;
}

/** What the driver does on one link until the link, or its session, is given up. */
export class Work {
  #limits: OperationLimits | undefined;
  #namespaces: readonly string[] = [];
  #turn: Promise<void> = Promise.resolve();
  #stop = new AbortController();
  #fault: EdgeError | undefined;
  readonly #polling = new Set<number>();
  readonly #link: OpcuaLink;
  readonly #connection: OpcuaConnection;
  readonly #items: () => ReadonlyMap<string, Item>;
  readonly #deps: WorkDeps;

  constructor(link: OpcuaLink, connection: OpcuaConnection, items: () => ReadonlyMap<string, Item>, deps: WorkDeps) {
    this.#link = link;
    this.#connection = connection;
    this.#items = items;
    this.#deps = deps;
  }

  /**
   * Runs until the signal aborts.
   * @throws EdgeError DRIVER_NOT_CONNECTED when the link is lost or silent, DRIVER_REFUSED when a new session is needed
   */
  async run(signal: AbortSignal): Promise<void> {
    const stopped = AbortSignal.any([signal, this.#link.lost, this.#stop.signal]);
    try {
      this.#watchLink(stopped);
      await Promise.race([this.#begin(), aborted(stopped)]);
      if (!stopped.aborted) void this.#watchItems(stopped).catch((error: unknown) => this.#fail(error));
      await aborted(stopped);
      if (signal.aborted) return;
      throw this.#fault ?? lostLink();
    } catch (error) {
      if (!signal.aborted) throw this.#fault ?? error;
    } finally {
      this.#stop.abort();
      this.#deps.publisher.stop();
    }
  }

  /** Brings the server in line with the items, after a change of the configuration. */
  update(removed: readonly Item[]): void {
    this.#exclusive(async () => {
      const limits = this.#limits;
      if (!limits) return;
      await unmonitor(this.#link, removed, limits);
      await this.#reconcile(limits);
    });
  }

  async #begin(): Promise<void> {
    const { publisher } = this.#deps;
    this.#limits = await readOperationLimits(this.#link);
    if (this.#link.resumed) {
      for (const subscription of publisher.subscriptions.values()) {
        subscription.heardMs = this.#deps.clock.monotonicMs();
        subscription.republished = false;
        await publisher
          .fetchMissed(this.#link, subscription)
          .catch((error: unknown) => this.#forgetSubscriptions(error));
      }
      publisher.start(this.#link, this.#publishFailed);
      await this.#refreshMarked(this.#limits);
    } else {
      // A consumer that came back on the same link finds the subscriptions of the one before.
      await deleteSubscriptions(this.#link, [...publisher.subscriptions.values()]);
      publisher.reset();
      for (const item of this.#items().values()) detach(item);
    }
    await this.#exclusive(async () => this.#limits && this.#reconcile(this.#limits));
  }

  /** Values that did not change while the link was down are not told by the subscription, but they are Good again. */
  async #refreshMarked(limits: OperationLimits): Promise<void> {
    const marked = [...this.#items().values()].filter((item) => item.marked !== null && item.subscription !== null);
    await readItems(
      this.#link,
      marked,
      limits,
      (item, value) => {
        if (item.marked !== null) this.#deps.delivery.deliver(item, value, "refresh");
      },
      () => undefined,
    );
  }

  async #forgetSubscriptions(error: unknown): Promise<void> {
    if (!(error instanceof EdgeError) || error.code !== "DRIVER_REFUSED") throw error;
    this.#deps.publisher.reset();
    for (const item of this.#items().values()) detach(item);
  }

  async #reconcile(limits: OperationLimits): Promise<void> {
    const { delivery, ladder, publisher } = this.#deps;
    const items = [...this.#items().values()];
    const unresolved = items.filter((item) => item.nodeId === null);
    if (unresolved.length > 0) {
      this.#namespaces = await readNamespaces(this.#link);
      await resolveItems(this.#link, unresolved, this.#namespaces, limits, delivery);
    }
    if (!ladder.polling) {
      try {
        await this.#subscribe(
          items.filter(
            (item) =>
              item.nodeId !== null &&
              item.signal.mode === "subscribe" &&
              item.subscription === null &&
              item.silences < SILENCES_MAX,
          ),
          limits,
        );
      } catch (error) {
        if (!(error instanceof EdgeError) || error.code !== "DRIVER_REFUSED" || SESSION_GONE.has(error.statusCode ?? 0))
          throw error;
        this.#deps.logger.warn({ status: statusText(error.statusCode ?? 0) }, "no subscription, polling instead");
        ladder.toPolling(error.statusCode ?? StatusCode.Bad);
      }
    }
    publisher.start(this.#link, this.#publishFailed);
    this.#poll(limits);
  }

  /** Fills the subscriptions that are there, then makes as many more as the server's limit on items demands. */
  async #subscribe(items: readonly Item[], limits: OperationLimits): Promise<void> {
    const { clock, delivery, publisher } = this.#deps;
    let rest = items;
    while (rest.length > 0) {
      const held = Map.groupBy(this.#items().values(), (item) => item.subscription);
      const roomOf = (members: number): number =>
        (limits.itemsPerSubscription > 0 ? limits.itemsPerSubscription : Infinity) - members;
      let subscription = [...publisher.subscriptions.values()].find((each) => roomOf(held.get(each)?.length ?? 0) > 0);
      if (!subscription) {
        subscription = await createSubscription(this.#link, clock, this.#connection);
        publisher.subscriptions.set(subscription.id, subscription);
      }
      publisher.start(this.#link, this.#publishFailed);
      const count = Math.min(rest.length, roomOf(held.get(subscription)?.length ?? 0));
      for (const item of rest) publisher.byHandle.set(item.handle, item);
      await monitor(this.#link, subscription, rest.slice(0, count), limits, { clock, delivery });
      rest = rest.slice(count);
    }
  }

  #poll(limits: OperationLimits): void {
    const { ladder, poller } = this.#deps;
    const polled = (item: Item): boolean =>
      item.nodeId !== null &&
      (item.signal.mode === "poll" ||
        ((ladder.polling || item.silences >= SILENCES_MAX) && item.subscription === null));
    for (const item of this.#items().values()) {
      if (!polled(item)) continue;
      const intervalMs = pollIntervalMs(item);
      if (this.#polling.has(intervalMs)) continue;
      this.#polling.add(intervalMs);
      const group = (): Item[] =>
        [...this.#items().values()].filter((each) => polled(each) && pollIntervalMs(each) === intervalMs);
      const stopped = AbortSignal.any([this.#link.lost, this.#stop.signal]);
      poller
        .run(this.#link, intervalMs, group, limits, stopped)
        .catch((error: unknown) => this.#fail(error))
        .finally(() => this.#polling.delete(intervalMs));
    }
  }

  #publishFailed = (error: EdgeError): void => {
    if (SESSION_GONE.has(error.statusCode ?? 0)) this.#fail(error);
    else if (this.#deps.publisher.subscriptions.size > 0)
      this.#exclusive(() => this.#recreate(statusText(error.statusCode ?? 0)));
  };

  /** One rung up the ladder: new subscriptions, a new session, polling. */
  async #recreate(why: string): Promise<void> {
    const { clock, delivery, ladder, logger, publisher } = this.#deps;
    const rung = ladder.climb(clock.monotonicMs());
    logger.warn({ why, rung }, "subscription is dead");
    for (const item of this.#items().values()) {
      if (item.subscription !== null && item.marked === null)
        delivery.mark(item, StatusCode.UncertainNoCommunicationLastUsable);
    }
    if (rung === "session") {
      this.#fail(
        new EdgeError("DRIVER_REFUSED", `the subscription is dead (${why}), a new session is made`, {
          statusCode: ServiceStatus.BadSubscriptionIdInvalid,
        }),
      );
      return;
    }
    const old = [...publisher.subscriptions.values()];
    publisher.reset();
    for (const item of this.#items().values()) {
      item.subscription = null;
      item.monitoredItemId = 0;
      item.suspicion = null;
    }
    await deleteSubscriptions(this.#link, old);
    if (this.#limits) await this.#reconcile(this.#limits);
  }

  /** A few silent items are mended by themselves; when most are silent it is the subscription. */
  async #mend(dead: readonly Item[], limits: OperationLimits): Promise<void> {
    if (dead.length === 0) return;
    const subscribed = [...this.#items().values()].filter((item) => item.subscription !== null).length;
    if (dead.length * 2 >= subscribed) return this.#recreate(`${dead.length} signals are not published`);
    await unmonitor(this.#link, dead, limits);
    for (const item of dead) {
      item.silences++;
      item.subscription = null;
      item.monitoredItemId = 0;
      item.suspicion = null;
      if (item.silences < SILENCES_MAX) continue;
      this.#deps.delivery.problem(
        item,
        StatusCode.UncertainNoCommunicationLastUsable,
        `${addressOf(item)}: the server takes the subscription but does not publish its changes, so it is polled`,
        "look for a limit or a fault of the server; `mode: poll` for this signal says that it is known",
      );
    }
    this.#deps.logger.warn({ signals: dead.length }, "signals are not published; their items are made anew");
    await this.#reconcile(limits);
  }

  /** Ends the work when nothing has come from the server for staleAfterMs. */
  #watchLink(stopped: AbortSignal): void {
    const { clock } = this.#deps;
    const { staleAfterMs } = this.#connection;
    const loop = async (): Promise<void> => {
      let asking = false;
      while (!stopped.aborted) {
        const silentMs = clock.monotonicMs() - this.#link.heardMs;
        if (silentMs > staleAfterMs * 0.85) return this.#fail(staleLink(silentMs));
        if (silentMs > staleAfterMs * 0.3 && !asking) {
          asking = true;
          void heartbeat(this.#link, staleAfterMs).finally(() => {
            asking = false;
          });
        }
        await clock.sleep(Math.max(20, staleAfterMs / 10), stopped);
      }
    };
    loop().catch((error: unknown) => this.#fail(error));
  }

  async #watchItems(stopped: AbortSignal): Promise<void> {
    const { clock, delivery, ladder, publisher, retryMs } = this.#deps;
    const { staleAfterMs } = this.#connection;
    const silence = new SilenceCheck(clock, delivery);
    let retryDueMs = clock.monotonicMs() + retryMs;
    while (!stopped.aborted) {
      await clock.sleep(Math.max(50, staleAfterMs / 4), stopped);
      const limits = this.#limits;
      if (stopped.aborted || !limits) return;
      await this.#exclusive(async () => {
        for (const subscription of publisher.subscriptions.values()) {
          const silentMs = clock.monotonicMs() - subscription.heardMs;
          if (silentMs <= subscription.keepAliveMs * 1.5 + subscription.publishingIntervalMs) continue;
          if (!subscription.republished) {
            subscription.republished = true;
            publisher.renew(this.#link, this.#publishFailed);
            await publisher.fetchMissed(this.#link, subscription);
          } else {
            await this.#recreate(`no keep-alive for ${Math.round(silentMs)} ms`);
            return;
          }
        }
        const dead = await silence.run(this.#link, [...this.#items().values()], staleAfterMs, limits);
        await this.#mend(dead, limits);
        if (clock.monotonicMs() < retryDueMs) return;
        retryDueMs = clock.monotonicMs() + retryMs;
        if (ladder.polling && ladder.mayProbe(clock.monotonicMs())) ladder.leavePolling();
        await this.#reconcile(limits);
      });
    }
  }

  /** Changes of the server's side run one at a time, so that an apply never crosses a rebuild. */
  #exclusive(action: () => unknown): Promise<void> {
    const next = this.#turn.then(async () => {
      if (this.#stop.signal.aborted || this.#link.lost.aborted) return;
      try {
        await action();
      } catch (error) {
        if (error instanceof EdgeError && error.statusCode === ServiceStatus.BadSubscriptionIdInvalid) {
          await this.#recreate(error.message).catch((inner: unknown) => this.#fail(inner));
        } else if (error instanceof EdgeError && error.code === "DRIVER_NOT_CONNECTED" && !this.#link.lost.aborted) {
          this.#deps.logger.debug({ message: error.message }, "a request was not answered; tried again later");
        } else {
          this.#fail(error);
        }
      }
    });
    this.#turn = next;
    return next;
  }

  #fail(error: unknown): void {
    if (this.#stop.signal.aborted) return;
    this.#fault ??=
      error instanceof EdgeError
        ? error
        : new EdgeError("DRIVER_NOT_CONNECTED", String(error), {
            cause: error,
            statusCode: StatusCode.BadUnexpectedError,
          });
    this.#stop.abort();
  }
}

function pollIntervalMs(item: Item): number {
  return item.signal.mode === "poll"
    ? item.signal.samplingIntervalMs
    : Math.max(FALLBACK_INTERVAL_MS_MIN, item.signal.samplingIntervalMs);
}

function lostLink(): EdgeError {
  return new EdgeError("DRIVER_NOT_CONNECTED", "the server closed the connection", {
    statusCode: StatusCode.BadConnectionClosed,
    hint: "check whether the OPC UA server was stopped or restarted",
  });
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}
