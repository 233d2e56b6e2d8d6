import type { LogReader } from "./event-log.ts";
import { FileFollower } from "./file-follower.ts";
import { LogFacade } from "./log-facade.ts";
import { type ExaminableLog, openLogReader } from "./reader.ts";

/** A reader in a process of its own: when the collector has moved a damaged log aside, it goes on with the new one. */
class FollowingReader extends LogFacade {
  readonly #file: FileFollower<ExaminableLog>;

  constructor(path: string) {
    super(path);
    this.#file = new FileFollower(path, () => openLogReader(path));
  }

  protected get isClosed(): boolean {
    return this.#file.isClosed;
  }

  protected recovers(error: unknown, failed: LogReader): boolean {
    return this.#file.recovers(error, failed);
  }

  protected get inner(): ExaminableLog {
    return this.#file.current;
  }

  close(): void {
    this.#file.close();
  }
}

/**
 * Opens an existing log for reading, for as long as a process runs.
 * @throws EdgeError LOG_UNAVAILABLE, LOG_VERSION, LOG_CORRUPT
 */
export function openFollowingReader(path: string): ExaminableLog {
  return new FollowingReader(path);
}
