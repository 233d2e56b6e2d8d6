import { statSync } from "node:fs";
import { EdgeError } from "../kernel/errors.ts";
import { asLogError } from "./database.ts";
import type { LogReader } from "./event-log.ts";

const LOOK_MS = 1_000;

/** What is open of a log's file that its collector may replace: once a second it is looked whether another one stands there. */
export class FileFollower<T extends LogReader> {
  readonly path: string;
  readonly #open: () => T;
  #current: T;
  #fileId: string;
  #lookedMs = performance.now();
  #isClosed = false;

  /** @throws EdgeError of `open` */
  constructor(path: string, open: () => T) {
    this.path = path;
    this.#open = open;
    this.#current = open();
    this.#fileId = fileIdOf(path);
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  get current(): T {
    if (this.#isClosed || performance.now() - this.#lookedMs < LOOK_MS) return this.#current;
    this.#lookedMs = performance.now();
    const fileId = fileIdOf(this.path);
    // Never created here: that is for who keeps the log in order.
    if (fileId === this.#fileId || fileId === "") return this.#current;
    try {
      const next = this.#open();
      closeQuietly(this.#current);
      this.#current = next;
      this.#fileId = fileId;
    } catch (error) {
      // The new file is not ready yet: the next look will find it.
      if (!(error instanceof EdgeError)) throw error;
    }
    return this.#current;
  }

  /** Whether a call that failed may be made again, for the file that failed was damaged and is replaced by now. */
  recovers(error: unknown, failed: LogReader): boolean {
    if (this.#isClosed || asLogError(error, this.path).code !== "LOG_CORRUPT") return false;
    this.#lookedMs = Number.NEGATIVE_INFINITY;
    return this.current !== failed;
  }

  close(): void {
    this.#isClosed = true;
    this.#current.close();
  }
}

/** Names the file that stands at a path; "" when none does. */
export function fileIdOf(path: string): string {
  const stat = statSync(path, { throwIfNoEntry: false });
  return stat === undefined ? "" : `${stat.dev}:${stat.ino}`;
}

function closeQuietly(log: LogReader): void {
  try {
    log.close();
  } catch {
    // What is damaged may not even close properly.
  }
}
