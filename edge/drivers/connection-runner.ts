import type { Logger } from "pino";
import type { ConnectionData, NewEvent } from "../../cloud-sync/contract/event.ts";
import type { Sample } from "../../cloud-sync/contract/sample.ts";
import { backoffMs } from "../kernel/backoff.ts";
import type { Clock } from "../kernel/clock.ts";
import type { Component } from "../kernel/component.ts";
import { EdgeError, messageOf } from "../kernel/errors.ts";
import { StatusCode } from "../kernel/status-code.ts";
import { DISPOSE_MS_MAX, type Driver, type DriverStatus } from "./driver.ts";

const BACKOFF = { baseMs: 500, maxMs: 15_000 };
/** A link that held this long starts its backoff anew. */
const HEALTHY_AFTER_MS = 10_000;
const STATUS_EVERY_MS = 1_000;
/** Counters alone are worth an event this often. */
const COUNTERS_EVERY_MS = 30_000;
const CONNECT_MS_MAX = 30_000;

/** Problems that one report lists. */
const PROBLEMS_MAX = 400;

/** A machine behind a connection, as far as the runner needs to know it. */
export interface BoundMachine {
  readonly machineId: string;
  readonly signals: readonly { readonly name: string }[];
}

export interface ConnectionRunnerOptions<Binding extends BoundMachine> {
  readonly connectionId: string;
  readonly protocol: ConnectionData["protocol"];
  readonly address: string;
  readonly machines: readonly Binding[];
  /** A fresh one for each run: a driver that failed in a way nobody foresaw is not used again. */
  readonly driver: () => Driver<Binding>;
  readonly accept: (samples: readonly Sample[]) => void;
  readonly publish: (event: NewEvent) => void;
  /** Stream of the connection's events. */
  readonly edgeStream: string;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Keeps one driver connected, hands its samples on, and says in samples and events how the link is. */
export class ConnectionRunner<Binding extends BoundMachine> implements Component {
  readonly name: string;
  readonly #options: ConnectionRunnerOptions<Binding>;
  #machines: readonly Binding[];
  #driver: Driver<Binding>;
  /** What all signals were last said to be while the link was down; undefined while it is up. */
  #downCode: number | undefined;
  /** Samples have come in this run. */
  #serving = false;
  #published = "";
  #publishedMs = Number.NEGATIVE_INFINITY;

  constructor(options: ConnectionRunnerOptions<Binding>) {
    this.name = `connection ${options.connectionId}`;
    this.#options = options;
    this.#machines = options.machines;
    this.#driver = options.driver();
  }

  /** Takes a new set of machines without touching the link, or the signals that stay the same. */
  apply(machines: readonly Binding[]): void {
    const known = new Set(this.#machines.flatMap(signalKeys));
    this.#machines = machines;
    this.#driver.apply(machines);
    if (this.#downCode !== undefined) this.#sayDown(this.#downCode, (key) => !known.has(key));
  }

  async run(signal: AbortSignal, ready: () => void): Promise<void> {
    ready();
    const { clock } = this.#options;
    const driver = this.#driver;
    // Also marks, in the log, where a collector began: what was said of the link before is over.
    this.#publish({ ...driver.status(), state: "connecting", detail: `connecting to ${this.#options.address}` }, null);
    const statusTimer = setInterval(() => this.#watchStatus(), STATUS_EVERY_MS);
    try {
      for (let attempt = 0; !signal.aborted; attempt++) {
        const startedMs = clock.monotonicMs();
        try {
          await this.#serve(signal);
        } catch (error) {
          if (signal.aborted) break;
          this.#fail(error);
        }
        if (clock.monotonicMs() - startedMs > HEALTHY_AFTER_MS) attempt = 0;
        await clock.sleep(backoffMs(attempt, BACKOFF), signal);
      }
    } finally {
      this.#serving = false;
      clearInterval(statusTimer);
      await Promise.race([driver[Symbol.asyncDispose](), clock.sleep(DISPOSE_MS_MAX)]);
      this.#driver = this.#options.driver();
      this.#driver.apply(this.#machines);
    }
  }

  async #serve(signal: AbortSignal): Promise<void> {
    const { accept } = this.#options;
    const driver = this.#driver;
    await driver.connect(AbortSignal.any([signal, AbortSignal.timeout(CONNECT_MS_MAX)]));
    for await (const samples of driver.samples(signal)) {
      accept(samples);
      if (this.#downCode === undefined && this.#serving) continue;
      this.#serving = true;
      this.#downCode = undefined;
      this.#watchStatus();
    }
    if (!signal.aborted)
      throw new EdgeError("DRIVER_NOT_CONNECTED", `${this.#options.address} ended its samples`, {
        statusCode: StatusCode.BadConnectionClosed,
      });
  }

  #fail(error: unknown): void {
    // What no driver foresaw is a fault of ours: the supervisor reports it and starts the component again.
    if (!(error instanceof EdgeError)) {
      this.#sayDown(StatusCode.BadInternalError);
      throw error;
    }
    this.#sayDown(error.statusCode ?? StatusCode.BadNotConnected);
    this.#publish({ ...this.#driver.status(), state: "disconnected", detail: messageOf(error) }, error.hint ?? null);
  }

  /** One Bad sample per signal when the link goes down and whenever the reason changes. */
  #sayDown(statusCode: number, which: (key: string) => boolean = everySignal): void {
    if (this.#downCode === statusCode && which === everySignal) return;
    this.#downCode = statusCode;
    const receivedTimestampMs = this.#options.clock.nowMs();
    const samples = this.#machines.flatMap(({ machineId, signals }) =>
      signals
        .filter(({ name }) => which(`${machineId} ${name}`))
        .map(({ name }) => ({
          machineId,
          signal: name,
          value: null,
          statusCode,
          sourceTimestampMs: null,
          serverTimestampMs: null,
          receivedTimestampMs,
        })),
    );
    if (samples.length > 0) this.#options.accept(samples);
  }

  #watchStatus(): void {
    if (this.#downCode === undefined && this.#serving) this.#publish(this.#driver.status(), null);
  }

  #publish(status: DriverStatus, hint: string | null): void {
    const { connectionId, protocol, address, edgeStream, clock, logger, publish } = this.#options;
    const { state, detail, counters, problems } = status;
    const essence = JSON.stringify([state, detail, hint, problems, this.#machines.map(({ machineId }) => machineId)]);
    const nowMs = clock.monotonicMs();
    if (essence === this.#published && nowMs - this.#publishedMs < COUNTERS_EVERY_MS) return;
    if (essence !== this.#published) {
      const level = state === "connected" || state === "connecting" ? "info" : "warn";
      logger[level](
        { connectionId, address, state, detail, ...(hint === null ? {} : { hint }), problems: problems.length },
        "connection",
      );
    }
    this.#published = essence;
    this.#publishedMs = nowMs;
    const machineIds = this.#machines.map(({ machineId }) => machineId);
    publish({
      type: "connection",
      machineId: edgeStream,
      timeMs: clock.nowMs(),
      data: {
        connectionId,
        protocol,
        address,
        state,
        detail,
        hint,
        machineIds,
        // How many there are in all stands in the counters: the event must stay of a size that can be stored.
        counters: problems.length > PROBLEMS_MAX ? { ...counters, problems: problems.length } : counters,
        problems: problems.slice(0, PROBLEMS_MAX),
      },
    });
  }
}

function signalKeys({ machineId, signals }: BoundMachine): string[] {
  return signals.map(({ name }) => `${machineId} ${name}`);
}

function everySignal(): boolean {
  return true;
}
