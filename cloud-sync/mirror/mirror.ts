import type { Logger } from "pino";
import { backoffMs } from "../../edge/kernel/backoff.ts";
import type { Clock } from "../../edge/kernel/clock.ts";
import type { Component } from "../../edge/kernel/component.ts";
import { FailureLog } from "../../edge/kernel/failure-log.ts";
import type { LogReader } from "../../edge/log/event-log.ts";
import type { Database } from "../database/database.ts";
import type { EventStore } from "../store/event-store.ts";
import { LogFollower, type LogProgress } from "./log-follower.ts";
import type { OfficeOptions } from "./office-client.ts";
import { OfficeFollower, type OfficeProgress } from "./office-follower.ts";

export interface MirrorOptions {
  /** The edge's log, of whoever keeps it; a following reader where that is another process (edge/log/following-reader.ts). */
  readonly log: LogReader;
  /** The factory: "redmond". */
  readonly site: string;
  /** Migrated; the mirror's cursors are kept in it. */
  readonly database: Database;
  /** Of PostgreSQL over that database. */
  readonly store: EventStore;
  /** The central office; left out, the mirror has what the factory itself says. */
  readonly cloud?: OfficeOptions;
  readonly clock: Clock;
  readonly logger: Logger;
  /** New events are stored so often: less gives fresher data and more documents. */
  readonly gatherMs?: number;
  /** The office is asked so often while it has nothing new. */
  readonly askMs?: number;
}

export interface MirrorProgress {
  readonly log: LogProgress;
  readonly office: OfficeProgress | undefined;
}

/** With the writing and a projection behind it the newest event is there within two seconds. */
const GATHER_MS = 1_000;
const ASK_MS = 5_000;
const LOG_BACKOFF = { baseMs: 500, maxMs: 30_000 };
const OFFICE_BACKOFF = { baseMs: 1_000, maxMs: 60_000 };

/**
 * Keeps a factory's own PostgreSQL like that of the cloud, for apps in the factory: its own events from the log of its edge, with or
 * without a line, and metadata and results of the fleet from the central office while there is one. Each goes on without the other; what
 * fails is tried again with growing pauses. Projections over the same database are a component of their own.
 */
export class Mirror implements Component {
  readonly name = "mirror";
  readonly #options: MirrorOptions;
  readonly #log: LogFollower;
  readonly #office: OfficeFollower | undefined;

  constructor(options: MirrorOptions) {
    const { cloud, gatherMs = GATHER_MS } = options;
    this.#options = options;
    this.#log = new LogFollower({ ...options, gatherMs });
    this.#office = cloud && new OfficeFollower({ ...options, office: cloud });
  }

  progress(): MirrorProgress {
    return { log: this.#log.progress(), office: this.#office?.progress() };
  }

  async run(signal: AbortSignal, ready: () => void): Promise<void> {
    const log = this.#log;
    const office = this.#office;
    const { askMs = ASK_MS, clock } = this.#options;
    ready();
    await Promise.all([
      this.#repeat("log", log, LOG_BACKOFF, signal, () => log.step(signal)),
      office &&
        this.#repeat("office", office, OFFICE_BACKOFF, signal, async () => {
          if (!(await office.step(signal))) await clock.sleep(askMs, signal);
        }),
    ]);
  }

  async #repeat(
    source: string,
    follower: { forget(): void },
    backoff: { readonly baseMs: number; readonly maxMs: number },
    signal: AbortSignal,
    step: () => Promise<void>,
  ): Promise<void> {
    const { clock, logger } = this.#options;
    const failures = new FailureLog(logger, clock, { component: this.name, source });
    let attempt = 0;
    while (!signal.aborted) {
      try {
        await step();
        attempt = 0;
        failures.recovered();
      } catch (error) {
        if (signal.aborted) return;
        follower.forget();
        failures.failed(error);
        await clock.sleep(backoffMs(attempt++, backoff), signal);
      }
    }
  }
}

/** Nothing is opened or asked before it runs. */
export function createMirror(options: MirrorOptions): Mirror {
  return new Mirror(options);
}
