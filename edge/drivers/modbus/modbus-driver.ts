import type { Logger } from "pino";
import type { Sample } from "../../../cloud-sync/contract/sample.ts";
import type { Clock } from "../../kernel/clock.ts";
import type { ModbusConnection, ModbusMachine } from "../../kernel/config/model.ts";
import { EdgeError } from "../../kernel/errors.ts";
import type { Driver, DriverStatus, LinkState } from "../driver.ts";
import { UnitBreakers } from "./breaker.ts";
import { Line } from "./line.ts";
import { PendingSamples } from "./pending-samples.ts";
import { Poller } from "./poller.ts";
import { Quarantine } from "./quarantine.ts";
import { addressOf } from "./transport.ts";
import { UnitReader } from "./unit-reader.ts";

export interface ModbusDriverDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Less than PENDING_SAMPLES_MAX, for a small box or a test. */
  readonly pendingSamplesMax?: number;
  /** How long an address that fails is left alone; QUARANTINE_RETRY_MS when not given. */
  readonly quarantineRetryMs?: number;
}

/**
 * All machines behind one Modbus line: a TCP device, a gateway with many unit ids, or a serial port. One request at a time
 * on the line; several lines are several drivers. Modbus carries no times: source and server time are null.
 */
export class ModbusDriver implements Driver<ModbusMachine> {
  readonly #connection: ModbusConnection;
  readonly #deps: ModbusDriverDeps;
  readonly #line: Line;
  readonly #breakers: UnitBreakers;
  readonly #quarantine: Quarantine;
  readonly #reader: UnitReader;
  readonly #pending: PendingSamples;
  readonly #life = new AbortController();
  #machines: readonly ModbusMachine[];
  #state: LinkState = "disconnected";
  #poller: Poller | null = null;
  #running = false;
  #missedBefore = 0;

  constructor(connection: ModbusConnection, deps: ModbusDriverDeps) {
    this.#connection = connection;
    this.#deps = deps;
    this.#machines = connection.machines;
    this.#line = new Line(connection, deps.clock);
    this.#breakers = new UnitBreakers(connection.breakerFailures, connection.breakerOpenMs);
    this.#quarantine = new Quarantine(deps.quarantineRetryMs);
    this.#reader = new UnitReader(this.#line, deps.clock, connection.retries, this.#breakers, this.#quarantine);
    this.#pending = new PendingSamples(deps.pendingSamplesMax);
  }

  /** @throws EdgeError DRIVER_NOT_CONNECTED, DRIVER_REFUSED (no right to the serial port), DRIVER_CONFIG */
  async connect(signal: AbortSignal): Promise<void> {
    this.#state = "connecting";
    try {
      await this.#line.open(AbortSignal.any([signal, this.#life.signal]));
      if (this.#life.signal.aborted) {
        this.#line.close();
        throw new EdgeError("DRIVER_NOT_CONNECTED", "the driver has been disposed of");
      }
      this.#quarantine.clear();
      this.#breakers.clear();
      this.#state = "connected";
    } catch (error) {
      this.#state = "disconnected";
      throw error;
    }
  }

  /** One consumer at a time. @throws EdgeError DRIVER_NOT_CONNECTED when the line drops and can't be had again at once */
  async *samples(signal: AbortSignal): AsyncGenerator<readonly Sample[], void, undefined> {
    if (this.#running) throw new EdgeError("USAGE", "samples() of one Modbus driver has two consumers at a time");
    this.#running = true;
    const stop = new AbortController();
    const bound = AbortSignal.any([signal, stop.signal, this.#life.signal]);
    this.#pending.clear();
    const poller = new Poller(this.#machines, this.#reader, this.#quarantine, this.#deps, (batch) =>
      this.#pending.push(batch),
    );
    this.#poller = poller;
    let failure: unknown = null;
    let over = false;
    const ended = poller
      .run(bound)
      .catch((error: unknown) => {
        failure = error;
      })
      .finally(() => {
        over = true;
        this.#pending.wake();
      });
    try {
      while (!bound.aborted && !over) {
        const batch = await this.#pending.take();
        if (bound.aborted) return;
        if (batch.length > 0) yield batch;
      }
      if (failure !== null && !bound.aborted) {
        this.#line.close();
        throw failure;
      }
    } finally {
      stop.abort();
      await ended;
      if (failure !== null || this.#life.signal.aborted) this.#state = "disconnected";
      this.#missedBefore += poller.missedDeadlines;
      this.#poller = null;
      this.#running = false;
    }
  }

  apply(machines: readonly ModbusMachine[]): void {
    this.#machines = machines;
    this.#poller?.apply(machines);
  }

  status(): DriverStatus {
    const poller = this.#poller;
    const failing = poller?.failingCount ?? 0;
    const units = poller?.failingUnits ?? [];
    const total = this.#machines.reduce((sum, machine) => sum + machine.signals.length, 0);
    const state = this.#state === "connected" && units.length > 0 ? "degraded" : this.#state;
    const address = addressOf(this.#connection.transport);
    const detail =
      this.#state !== "connected"
        ? `${this.#state === "connecting" ? "connecting" : "not connected"} to ${address}`
        : `reading ${total - failing} of ${total} signals from ${address}${
            units.length > 0 ? `, no answer from unit ${units.join(", ")}` : failing > 0 ? `, ${failing} refused` : ""
          }`;
    return {
      state,
      detail,
      problems: poller?.problems() ?? [],
      counters: {
        ...this.#line.counters,
        ...this.#reader.counters,
        breakersOpened: this.#breakers.opened,
        missedDeadlines: this.#missedBefore + (poller?.missedDeadlines ?? 0),
        overflowed: this.#pending.overflowed,
      },
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#life.abort();
    this.#line.close();
    this.#state = "disconnected";
  }
}
