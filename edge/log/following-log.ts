import { statSync } from "node:fs";
import type { NewEvent } from "../../cloud-sync/contract/event.ts";
import { EdgeError } from "../kernel/errors.ts";
import { asLogError } from "./database.ts";
import type { EventLog, LogReader } from "./event-log.ts";
import { type LogOptions, openLog, type SqliteLog } from "./log.ts";
import { LogFacade } from "./log-facade.ts";
import type { ExaminableLog } from "./reader.ts";

const LOOK_MS = 1_000;

/**
 * A log that another process keeps in order, for one that also appends and moves cursors: when the collector has moved a
 * damaged file aside, it goes on with the new one.
 */
class FollowingLog extends LogFacade implements EventLog {
  readonly #options: LogOptions;
  #log: SqliteLog;
  #fileId: string;
  #lookedMs = performance.now();
  #isClosed = false;

  constructor(options: LogOptions) {
    super(options.path);
    this.#options = options;
    this.#log = openLog(options);
    this.#fileId = fileIdOf(options.path);
  }

  protected get isClosed(): boolean {
    return this.#isClosed;
  }

  protected recovers(error: unknown, failed: LogReader): boolean {
    if (this.#isClosed || asLogError(error, this.path).code !== "LOG_CORRUPT") return false;
    this.#lookedMs = Number.NEGATIVE_INFINITY;
    return this.inner !== failed;
  }

  protected get inner(): SqliteLog {
    if (this.#isClosed || performance.now() - this.#lookedMs < LOOK_MS) return this.#log;
    this.#lookedMs = performance.now();
    const fileId = fileIdOf(this.path);
    // Never created here: that is for who keeps the log in order.
    if (fileId === this.#fileId || fileId === "") return this.#log;
    try {
      const next = openLog(this.#options);
      closeQuietly(this.#log);
      this.#log = next;
      this.#fileId = fileId;
    } catch (error) {
      // The new file is not ready yet: the next look will find it.
      if (!(error instanceof EdgeError)) throw error;
    }
    return this.#log;
  }

  async append(events: readonly NewEvent[], commit?: "grouped" | "now"): Promise<number> {
    const log = this.inner;
    try {
      return await log.append(events, commit);
    } catch (error) {
      if (!this.recovers(error, log)) throw error;
      return this.inner.append(events, commit);
    }
  }

  saveCursor(name: string, offset: number): void {
    const log = this.inner;
    try {
      log.saveCursor(name, offset);
    } catch (error) {
      // A cursor is of the file that it was read from: in another one it would skip or repeat.
      this.recovers(error, log);
      throw error;
    }
  }

  seal(): void {
    this.inner.seal();
  }

  maintain(seals?: boolean): boolean {
    return this.inner.maintain(seals);
  }

  isSealDue(): boolean {
    return this.inner.isSealDue();
  }

  sealAside(signal: AbortSignal): Promise<void> {
    return this.inner.sealAside(signal);
  }

  close(): void {
    this.#isClosed = true;
    this.#log.close();
  }
}

function closeQuietly(log: SqliteLog): void {
  try {
    log.close();
  } catch {
    // What is damaged may not even close properly.
  }
}

function fileIdOf(path: string): string {
  const stat = statSync(path, { throwIfNoEntry: false });
  return stat === undefined ? "" : `${stat.dev}:${stat.ino}`;
}

/**
 * Opens an existing log for a process beside the collector's, for as long as it runs.
 * @throws EdgeError LOG_UNAVAILABLE (also when there is none), LOG_VERSION, LOG_CORRUPT
 */
export function openFollowingLog(options: LogOptions): EventLog & ExaminableLog {
  if (fileIdOf(options.path) === "") {
    throw new EdgeError("LOG_UNAVAILABLE", `there is no log at ${options.path}`, {
      hint: "Start the collector, which creates it, or name the right file.",
    });
  }
  return new FollowingLog(options);
}
