import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import type { Component } from "../kernel/component.ts";
import { EdgeError, messageOf } from "../kernel/errors.ts";
import { isLoopback } from "../kernel/hosts.ts";
import { createDashboard, type DashboardOptions } from "./app.ts";

/** Where the page's build puts it. */
export const WEB_ROOT = fileURLToPath(new URL("web/dist", import.meta.url));

export interface DashboardComponentOptions extends Omit<DashboardOptions, "onFailure"> {
  readonly host: string;
  /** 0 takes any free port; `address` tells which. */
  readonly port: number;
}

/** Serves the dashboard until the signal aborts; live streams are ended within a second. */
export class DashboardComponent implements Component {
  readonly name = "dashboard";
  readonly #options: DashboardComponentOptions;
  #address: string | undefined;

  constructor(options: DashboardComponentOptions) {
    this.#options = options;
  }

  /** "http://127.0.0.1:8080" while it listens. */
  get address(): string | undefined {
    return this.#address;
  }

  /** @throws EdgeError CONFIG_INVALID for a host that others can reach, PORT_IN_USE */
  async run(signal: AbortSignal, ready: () => void): Promise<void> {
    const { host, port, logger } = this.#options;
    if (!isLoopback(host)) {
      throw new EdgeError("CONFIG_INVALID", `dashboard.host is ${host}, which other computers can reach`, {
        hint: "There is no sign-in yet, so the dashboard listens on this computer only: use 127.0.0.1, and an SSH tunnel to see it from elsewhere.",
      });
    }
    if (signal.aborted) return;
    let fail: (error: unknown) => void = () => undefined;
    const failed = new Promise<never>((_resolve, reject) => {
      fail = reject;
    });
    failed.catch(() => undefined);
    const app = createDashboard({ ...this.#options, onFailure: (error) => fail(error) });
    try {
      await app.listen({ host, port }).catch((error: unknown) => {
        throw asListenError(error, host, port);
      });
      this.#address = `http://${host.includes(":") ? `[${host}]` : host}:${portOf(app.server.address()) ?? port}`;
      logger.info({ address: this.#address }, "dashboard is open");
      ready();
      const aborted = new Promise<void>((resolve) => {
        if (signal.aborted) resolve();
        signal.addEventListener("abort", () => resolve(), { once: true });
      });
      await Promise.race([aborted, failed]);
    } finally {
      this.#address = undefined;
      await app.close();
    }
  }
}

function portOf(address: AddressInfo | string | null): number | undefined {
  return typeof address === "object" ? address?.port : undefined;
}

function asListenError(error: unknown, host: string, port: number): unknown {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  if (code === "EADDRINUSE") {
    return new EdgeError("PORT_IN_USE", `another program listens on ${host}:${port}`, {
      cause: error,
      hint: "Choose another dashboard.port in tailstock.yaml, or end that program; it may be a second Tailstock.",
    });
  }
  if (code === "EACCES" || code === "EADDRNOTAVAIL") {
    return new EdgeError("CONFIG_INVALID", `cannot listen on ${host}:${port}: ${messageOf(error)}`, {
      cause: error,
      hint: "Choose a dashboard.port above 1023 and a host of this computer.",
    });
  }
  return error;
}
