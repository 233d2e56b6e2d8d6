import type { Logger } from "pino";
import type { BackoffOptions } from "./backoff.ts";
import type { Clock } from "./clock.ts";
import type { Component } from "./component.ts";
import { EdgeError } from "./errors.ts";
import { type ComponentStatus, Supervised } from "./supervised.ts";

export type { ComponentState, ComponentStatus } from "./supervised.ts";

export interface SupervisorOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Time that components have to end, all together. */
  readonly shutdownDeadlineMs?: number;
  readonly backoff?: BackoffOptions;
  /** Ready for so long, a component counts as recovered and its backoff begins anew. */
  readonly healthyAfterMs?: number;
}

/** A component under supervision. */
export interface SupervisedHandle {
  status(): ComponentStatus;
  /**
   * Ends the component and forgets it; resolves when it has ended.
   * @throws EdgeError SHUTDOWN_DEADLINE when it does not end in time; it is forgotten all the same
   */
  stop(): Promise<void>;
}

interface Entry {
  readonly supervised: Supervised;
  readonly isEssential: boolean;
}

/**
 * Runs components and starts each again when it rejects, with backoff, unless its error says that trying again is useless
 * (`retry: never`). Such a component is left failed; when it is essential, everything ends with its error. Components
 * come and go while it runs. One that resolves before it is asked to has done its work and is not started again.
 */
export class Supervisor {
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #shutdownDeadlineMs: number;
  readonly #backoff: BackoffOptions;
  readonly #healthyAfterMs: number;
  readonly #entries = new Map<string, Entry>();
  #phase: "new" | "running" | "ending" = "new";
  readonly #fatal = Promise.withResolvers<EdgeError>();

  constructor(options: SupervisorOptions) {
    this.#clock = options.clock;
    this.#logger = options.logger;
    this.#shutdownDeadlineMs = options.shutdownDeadlineMs ?? 5_000;
    this.#backoff = options.backoff ?? { baseMs: 500, maxMs: 30_000 };
    this.#healthyAfterMs = options.healthyAfterMs ?? 30_000;
  }

  /**
   * Takes a component in: started with `run`, or at once when that is under way; during a shutdown it stays stopped.
   * @throws Error when one of this name is there already
   */
  supervise(component: Component, { essential = false }: { essential?: boolean } = {}): SupervisedHandle {
    const { name } = component;
    if (this.#entries.has(name)) throw new Error(`A component named '${name}' is supervised already`);
    const policy = { backoff: this.#backoff, healthyAfterMs: this.#healthyAfterMs };
    const supervised = new Supervised(component, this.#clock, this.#logger, policy);
    const entry: Entry = { supervised, isEssential: essential };
    this.#entries.set(name, entry);
    if (this.#phase === "running") this.#start(entry);
    if (this.#phase === "ending") supervised.abort();
    return {
      status: () => supervised.status(),
      stop: async () => {
        // The name is free at once, so that a successor may be taken in while this one still ends.
        if (this.#entries.get(name) === entry) this.#entries.delete(name);
        const laggards = await this.#end([supervised]);
        if (laggards.length > 0) throw deadlineError(laggards, this.#shutdownDeadlineMs);
      },
    };
  }

  /**
   * Runs until the signal aborts and everything has ended.
   * @throws EdgeError of an essential component that can't go on; SHUTDOWN_DEADLINE naming those that did not end in time
   */
  async run(signal: AbortSignal): Promise<void> {
    if (this.#phase !== "new") throw new Error("A supervisor runs once");
    this.#phase = "running";
    const aborted = Promise.withResolvers<undefined>();
    const onAbort = (): void => aborted.resolve(undefined);
    signal.addEventListener("abort", onAbort, { once: true });
    if (signal.aborted) onAbort();
    else for (const entry of this.#entries.values()) this.#start(entry);
    const fatal = await Promise.race([aborted.promise, this.#fatal.promise]);
    signal.removeEventListener("abort", onAbort);
    this.#phase = "ending";
    const laggards = await this.#end([...this.#entries.values()].map(({ supervised }) => supervised));
    if (laggards.length > 0) this.#logger.error({ components: laggards }, "did not end in time");
    if (fatal !== undefined) throw fatal;
    if (laggards.length > 0) throw deadlineError(laggards, this.#shutdownDeadlineMs);
  }

  /** All components in the order in which they were taken in. */
  status(): ComponentStatus[] {
    return [...this.#entries.values()].map(({ supervised }) => supervised.status());
  }

  #start({ supervised, isEssential }: Entry): void {
    void supervised.start().then((error) => {
      if (error === undefined) return;
      this.#logger.error({ component: supervised.component.name, code: error.code, isEssential }, "can't go on");
      if (isEssential) this.#fatal.resolve(error);
    });
  }

  /** Ends all of them under one deadline; gives the names of those that did not. */
  async #end(all: readonly Supervised[]): Promise<string[]> {
    const pending = new Set(all);
    for (const supervised of all) supervised.abort();
    const finished = new AbortController();
    const ends = Promise.all(
      all.map(async (supervised) => {
        await supervised.ended;
        pending.delete(supervised);
      }),
    );
    await Promise.race([ends, this.#clock.sleep(this.#shutdownDeadlineMs, finished.signal)]);
    finished.abort();
    return [...pending].map(({ component }) => component.name);
  }
}

function deadlineError(names: readonly string[], deadlineMs: number): EdgeError {
  return new EdgeError(
    "SHUTDOWN_DEADLINE",
    `${names.map((name) => `'${name}'`).join(", ")} did not end within ${deadlineMs} ms`,
    { hint: "the process can be killed: what was acknowledged is durable; report which component hung" },
  );
}
