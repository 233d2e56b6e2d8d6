import { statSync } from "node:fs";
import { EdgeError } from "../kernel/errors.ts";
import { asLogError } from "./database.ts";
import type { LogReader } from "./event-log.ts";
import { LogFacade } from "./log-facade.ts";
import { type ExaminableLog, openLogReader } from "./reader.ts";

const LOOK_MS = 1_000;

/** A reader in a process of its own: when the collector has moved a damaged log aside, it goes on with the new one. */
class FollowingReader extends LogFacade {
  #reader: ExaminableLog;
  #fileId: string;
  #lookedMs = performance.now();
  #isClosed = false;

  constructor(path: string) {
    super(path);
    this.#reader = openLogReader(path);
    this.#fileId = fileIdOf(path);
  }

  protected get isClosed(): boolean {
    return this.#isClosed;
  }

  protected recovers(error: unknown, failed: LogReader): boolean {
    if (this.#isClosed || asLogError(error, this.path).code !== "LOG_CORRUPT") return false;
    this.#lookedMs = Number.NEGATIVE_INFINITY;
    return this.inner !== failed;
  }

  protected get inner(): ExaminableLog {
    if (this.#isClosed || performance.now() - this.#lookedMs < LOOK_MS) return this.#reader;
    this.#lookedMs = performance.now();
    const fileId = fileIdOf(this.path);
    if (fileId === this.#fileId || fileId === "") return this.#reader;
    try {
      const next = openLogReader(this.path);
      this.#reader.close();
      this.#reader = next;
      this.#fileId = fileId;
    } catch (error) {
      // The new file is not ready yet: the next look will find it.
      if (!(error instanceof EdgeError)) throw error;
    }
    return this.#reader;
  }

  close(): void {
    this.#isClosed = true;
    this.#reader.close();
  }
}

function fileIdOf(path: string): string {
  const stat = statSync(path, { throwIfNoEntry: false });
  return stat === undefined ? "" : `${stat.dev}:${stat.ino}`;
}

/**
 * Opens an existing log for reading, for as long as a process runs.
 * @throws EdgeError LOG_UNAVAILABLE, LOG_VERSION, LOG_CORRUPT
 */
export function openFollowingReader(path: string): ExaminableLog {
  return new FollowingReader(path);
}
