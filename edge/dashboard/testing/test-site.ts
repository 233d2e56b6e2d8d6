import pino from "pino";
import { openLogReader } from "../../log/reader.ts";
import { createDashboard, type DashboardOptions } from "../app.ts";
import { FactoryLog } from "./factory-log.ts";

export const MILL = "redmond/mill-07";
export const PRESS = "redmond/press-01";

/** A log that a test appends to, and dashboards on it; `close` ends them all. */
export class TestSite {
  readonly factory = new FactoryLog();
  readonly logger = pino({ level: "silent" });
  readonly #cleanups: (() => unknown)[] = [];

  onClose(cleanup: () => unknown): void {
    this.#cleanups.push(cleanup);
  }

  async close(): Promise<void> {
    for (const cleanup of this.#cleanups.splice(0).reverse()) await cleanup();
    this.factory.close();
  }

  dashboard(options: Pick<DashboardOptions, "uplink" | "bounds"> = {}) {
    // A reader of its own on the same file, as a dashboard in another process has.
    const log = openLogReader(this.factory.log.path);
    const { clock } = this.factory;
    const app = createDashboard({ log, site: "redmond", clock, logger: this.logger, webRoot: "/nowhere", ...options });
    this.onClose(() => log.close());
    this.onClose(() => app.close());
    return app;
  }

  async listening(options: Pick<DashboardOptions, "uplink" | "bounds"> = {}) {
    const app = this.dashboard(options);
    await app.listen({ host: "127.0.0.1", port: 0 });
    const address = app.server.address();
    if (typeof address !== "object" || !address) throw new Error("no address");
    return { app, port: address.port, url: `http://127.0.0.1:${address.port}` };
  }
}

export async function eventually<T>(
  read: () => Promise<T>,
  condition: (value: T) => boolean,
  timeoutMs = 5_000,
): Promise<T> {
  const timeout = AbortSignal.timeout(timeoutMs);
  for (;;) {
    const value = await read();
    if (condition(value)) return value;
    if (timeout.aborted) throw new Error(`still ${JSON.stringify(value).slice(0, 500)}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
