import type { Logger } from "pino";
import type { Clock } from "../kernel/clock.ts";
import type { Component } from "../kernel/component.ts";
import type { ConfigChange } from "../kernel/config/diff.ts";
import type { LoadedConfig } from "../kernel/config/load.ts";
import type { Config } from "../kernel/config/model.ts";
import { formatProblem } from "../kernel/config/problem.ts";
import { watchConfig } from "../kernel/config/watch.ts";

/** A part that takes changes of the configuration while it runs. */
export interface ConfigUser {
  apply(next: LoadedConfig, changes: readonly ConfigChange[]): Promise<void>;
  /** A changed file has mistakes; the configuration before stays in force. */
  refused?(problems: readonly string[], sha256: string): void;
}

/** The configuration in force in this process, and those who are told when it changes. */
export class ConfigInForce {
  readonly #logger: Logger;
  readonly #clock: Clock;
  readonly #users: ConfigUser[] = [];
  #current: LoadedConfig;

  constructor(loaded: LoadedConfig, { clock, logger }: { readonly clock: Clock; readonly logger: Logger }) {
    this.#current = loaded;
    this.#clock = clock;
    this.#logger = logger;
  }

  get config(): Config {
    return this.#current.config;
  }

  get loaded(): LoadedConfig {
    return this.#current;
  }

  /** Users are told in the order in which they were added. */
  add(user: ConfigUser): void {
    this.#users.push(user);
  }

  /** Watches the file for as long as it runs. */
  component(): Component {
    return {
      name: "config watch",
      run: async (signal, ready) => {
        ready();
        await watchConfig(
          this.#current.path,
          {
            clock: this.#clock,
            initial: this.#current,
            onConfig: (next, changes) => this.#apply(next, changes),
            onRefused: (problems, sha256) => this.#refuse(problems.map(formatProblem), sha256),
          },
          signal,
        );
      },
    };
  }

  async #apply(next: LoadedConfig, changes: readonly ConfigChange[]): Promise<void> {
    this.#logger.info({ path: next.path, changes: changes.map(({ sentence }) => sentence) }, "configuration applied");
    for (const user of this.#users) await user.apply(next, changes);
    this.#current = next;
  }

  #refuse(problems: readonly string[], sha256: string): void {
    this.#logger.error(
      { path: this.#current.path, problems },
      "changed configuration refused; the one before stays in force",
    );
    for (const user of this.#users) user.refused?.(problems, sha256);
  }
}
