import type { NewEvent } from "../../cloud-sync/contract/event.ts";
import { EdgeError } from "../kernel/errors.ts";
import type { EventLog, LogReader } from "./event-log.ts";
import { FileFollower, fileIdOf } from "./file-follower.ts";
import { type LogOptions, openLog, type SqliteLog } from "./log.ts";
import { LogFacade } from "./log-facade.ts";
import type { ExaminableLog } from "./reader.ts";

/**
 * A log that another process keeps in order, for one that also appends and moves cursors: when the collector has moved a
 * damaged file aside, it goes on with the new one.
 */
class FollowingLog extends LogFacade implements EventLog {
  readonly #file: FileFollower<SqliteLog>;

  constructor(options: LogOptions) {
    super(options.path);
    this.#file = new FileFollower(options.path, () => openLog(options));
  }

  protected get isClosed(): boolean {
    return this.#file.isClosed;
  }

  protected recovers(error: unknown, failed: LogReader): boolean {
    return this.#file.recovers(error, failed);
  }

  protected get inner(): SqliteLog {
    return this.#file.current;
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
    this.#file.close();
  }
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
