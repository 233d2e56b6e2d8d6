import type { AddressInfo } from "node:net";
import type { FastifyInstance } from "fastify";
import type { Logger } from "pino";
import type { Component } from "../../../edge/kernel/component.ts";
import { EdgeError, messageOf } from "../../../edge/kernel/errors.ts";
import { isLoopback } from "../../../edge/kernel/hosts.ts";

export interface HttpComponentOptions {
  /** "office", "command", "query": as it is called in logs and in the configuration. */
  readonly name: string;
  /** A new server at each start. */
  readonly create: () => FastifyInstance;
  readonly host: string;
  /** 0 takes any free port; `address` tells which. */
  readonly port: number;
  /** A proxy that speaks TLS stands before it, which alone can reach it. */
  readonly behindProxy: boolean;
  readonly logger: Logger;
}

/** Serves until the signal aborts. */
export class HttpComponent implements Component {
  readonly name: string;
  readonly #options: HttpComponentOptions;
  #address: string | undefined;

  constructor(options: HttpComponentOptions) {
    this.name = options.name;
    this.#options = options;
  }

  /** "http://127.0.0.1:8090" while it listens. */
  get address(): string | undefined {
    return this.#address;
  }

  /** @throws EdgeError CONFIG_INVALID for a host that others can reach without TLS, PORT_IN_USE */
  async run(signal: AbortSignal, ready: () => void): Promise<void> {
    const { name, create, host, port, behindProxy, logger } = this.#options;
    if (!isLoopback(host) && !behindProxy)
      throw new EdgeError(
        "CONFIG_INVALID",
        `${name} would listen on ${host}, which other computers can reach, and passwords and tokens would cross the network in the clear`,
        { hint: "Put a proxy that speaks TLS before it and say behindProxy: true, or listen on 127.0.0.1." },
      );
    if (signal.aborted) return;
    const app = create();
    try {
      await app.listen({ host, port }).catch((error: unknown) => {
        throw asListenError(error, name, host, port);
      });
      const bound = app.server.address() as AddressInfo;
      this.#address = `http://${host.includes(":") ? `[${host}]` : host}:${bound.port}`;
      logger.info({ component: name, address: this.#address }, "listens");
      ready();
      await new Promise<void>((resolve) => {
        if (signal.aborted) resolve();
        signal.addEventListener("abort", () => resolve(), { once: true });
      });
    } finally {
      this.#address = undefined;
      await app.close();
    }
  }
}

function asListenError(error: unknown, name: string, host: string, port: number): unknown {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  if (code === "EADDRINUSE")
    return new EdgeError("PORT_IN_USE", `another program listens on ${host}:${port}`, {
      cause: error,
      hint: `Choose another port for ${name}, or end that program; it may be a second Tailstock.`,
    });
  if (code === "EACCES" || code === "EADDRNOTAVAIL" || code === "ENOTFOUND")
    return new EdgeError("CONFIG_INVALID", `${name} cannot listen on ${host}:${port}: ${messageOf(error)}`, {
      cause: error,
      hint: "Choose a port above 1023 and an address of this computer.",
    });
  return error;
}
