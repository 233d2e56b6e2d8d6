import { setImmediate as yieldToLoop } from "node:timers/promises";
import type { Logger } from "pino";
import type { Clock } from "../../kernel/clock.ts";
import type { Component } from "../../kernel/component.ts";
import { EdgeError } from "../../kernel/errors.ts";
import { FailureLog } from "../../kernel/failure-log.ts";
import type { EventLog } from "../event-log.ts";

const ROUND_MS = 1_000;
/** While the disk refuses, it is asked again this often. */
const RETRY_MS = 5_000;

export interface KeeperOptions {
  readonly log: Pick<EventLog, "maintain" | "isSealDue" | "sealAside">;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Keeps the log in order beside those who use it: a bounded piece of work at a time, the event loop free between two. */
export class LogKeeper implements Component {
  readonly name = "log keeper";
  readonly #options: KeeperOptions;

  constructor(options: KeeperOptions) {
    this.#options = options;
  }

  async run(signal: AbortSignal, ready: () => void): Promise<void> {
    const { log, clock, logger } = this.#options;
    const failures = new FailureLog(logger, clock, { component: this.name });
    // Where no thread can be had, blocks are encoded here, one machine at a time.
    let sealsHere = false;
    ready();
    while (!signal.aborted) {
      let pauseMs = ROUND_MS;
      try {
        while (!signal.aborted && log.maintain(sealsHere)) await yieldToLoop();
        sealsHere = false;
        if (!signal.aborted && log.isSealDue()) {
          sealsHere = true;
          await log.sealAside(signal);
          sealsHere = false;
        }
        failures.recovered();
      } catch (error) {
        if (!(error instanceof EdgeError) || error.retry === "never") throw error;
        failures.failed(error);
        pauseMs = RETRY_MS;
      }
      await clock.sleep(pauseMs, signal);
    }
  }
}
