import type { Logger } from "pino";

const CLIENTS_MAX = 1_000;

/** Says that a client was refused when that begins or its reason changes, not at each of its attempts. */
export class RefusalLog {
  readonly #logger: Logger;
  readonly #reasons = new Map<string, string>();

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  refused(clientId: string, remote: string, reason: string): void {
    const client = clientId.slice(0, 260);
    if (this.#reasons.get(client) === reason) return;
    this.#reasons.delete(client);
    this.#reasons.set(client, reason);
    const [oldest] = this.#reasons.keys();
    if (this.#reasons.size > CLIENTS_MAX && oldest !== undefined) this.#reasons.delete(oldest);
    this.#logger.warn({ client, remote, reason }, "device refused");
  }

  accepted(clientId: string): void {
    this.#reasons.delete(clientId);
  }
}
