import type { Logger } from "pino";
import type { Clock } from "../../../edge/kernel/clock.ts";
import type { Component } from "../../../edge/kernel/component.ts";
import { FailureLog } from "../../../edge/kernel/failure-log.ts";
import type { Database } from "../../database/database.ts";
import { Days } from "./days.ts";

export interface StoreKeeperOptions {
  readonly database: Database;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Days that telemetry is kept at least. */
  readonly telemetryDays?: number;
}

export const TELEMETRY_DAYS = 30;
const LOOK_MS = 10 * 60_000;

/** Makes the partitions of the days to come and drops those whose time is over. Several may run beside each other. */
export class StoreKeeper implements Component {
  readonly name = "store-keeper";
  readonly #days: Days;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #telemetryDays: number;

  constructor({ database, clock, logger, telemetryDays = TELEMETRY_DAYS }: StoreKeeperOptions) {
    this.#days = new Days(database);
    this.#clock = clock;
    this.#logger = logger;
    this.#telemetryDays = telemetryDays;
  }

  async run(signal: AbortSignal, ready: () => void): Promise<void> {
    const failures = new FailureLog(this.#logger, this.#clock, { component: this.name });
    ready();
    while (!signal.aborted) {
      try {
        await this.keep();
        failures.recovered();
      } catch (error) {
        failures.failed(error);
      }
      await this.#clock.sleep(LOOK_MS, signal);
    }
  }

  /** @throws EdgeError DATABASE_UNAVAILABLE, also when somebody reads what is to be dropped for too long: the next time will do */
  async keep(): Promise<void> {
    const nowMs = this.#clock.nowMs();
    await this.#days.makeAhead(nowMs);
    const partitions = await this.#days.dropExpired(nowMs, this.#telemetryDays);
    if (partitions.length > 0) this.#logger.info({ partitions }, "days of telemetry are over");
  }
}
