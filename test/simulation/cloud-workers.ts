import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { firstLine, startProgram } from "../support/runtime-process.ts";

export interface CloudWorkersOptions {
  /** Of configuration and lake. */
  readonly folder: string;
  readonly eventsConnection: string;
  readonly consumerGroup: string;
  readonly databaseUrl: string;
}

/** Processes of the cloud side on one database: each runs ingest, projections and the lake, as containers would that share the work. */
export class CloudWorkers implements AsyncDisposable {
  readonly lakeFolder: string;
  readonly #config: string;
  readonly #children = new Map<number, ChildProcess>();

  constructor({ folder, eventsConnection, consumerGroup, databaseUrl }: CloudWorkersOptions) {
    mkdirSync(folder, { recursive: true });
    this.lakeFolder = join(folder, "lake");
    this.#config = join(folder, "cloud.yaml");
    writeFileSync(join(folder, "events"), eventsConnection);
    writeFileSync(join(folder, "database"), databaseUrl);
    writeFileSync(
      this.#config,
      `hub: { eventsFile: events, consumerGroup: ${consumerGroup} }
database: { urlFile: database }
lake: { folder: lake, flushSeconds: 2 }
`,
    );
  }

  /** Resolves when it runs; what it says goes to our standard error. */
  async start(worker: number): Promise<void> {
    const parts = ["--parts", "ingest,projections,lake,repack"];
    const child = startProgram([
      "cloud-sync/runtime/main.ts",
      "--config",
      this.#config,
      ...parts,
      "--log-level",
      "fatal",
    ]);
    this.#children.set(worker, child);
    await Promise.race([firstLine(child), once(child, "close")]);
  }

  isRunning(worker: number): boolean {
    const child = this.#children.get(worker);
    return child !== undefined && child.exitCode === null && child.signalCode === null;
  }

  /** kill -9 */
  async kill(worker: number): Promise<void> {
    const child = this.#children.get(worker);
    if (child === undefined || !this.isRunning(worker)) return;
    const closed = once(child, "close");
    child.kill("SIGKILL");
    await closed;
  }

  /** All end by themselves, with what they have under way. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(
      [...this.#children.values()].map(async (child) => {
        if (child.exitCode !== null || child.signalCode !== null) return;
        const closed = once(child, "close");
        child.kill("SIGTERM");
        await closed;
      }),
    );
  }
}
