import { existsSync, writeFileSync } from "node:fs";
import { basename } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { Logger } from "pino";
import type { NewEvent } from "../../cloud-sync/contract/event.ts";
import { type EdgeError, messageOf } from "../kernel/errors.ts";
import { asLogError } from "./database.ts";
import type { EventLog, LogReader } from "./event-log.ts";
import { alarmOf, type LogOptions, SqliteLog } from "./log.ts";
import { LogFacade } from "./log-facade.ts";
import type { ExaminableLog } from "./reader.ts";
import { setAside } from "./recovery/set-aside.ts";
import { inspectWal, type WalReport } from "./recovery/wal-check.ts";

/** A write-ahead log that is just being written may look damaged for an instant: it is looked at again after this. */
const SECOND_LOOK_MS = 200;

export interface HealingOptions extends LogOptions {
  readonly logger: Logger;
}

/**
 * The log of a collector, which collects whatever happens to the file: a damaged one is moved aside as it is, a new one with
 * a new epoch takes its place, and an alarm says so. What is readable in the old one `tailstock log salvage` brings back.
 */
class HealingLog extends LogFacade implements EventLog {
  readonly #options: HealingOptions;
  #log: SqliteLog;
  #isClosed = false;

  constructor(options: HealingOptions, log: SqliteLog) {
    super(options.path);
    this.#options = options;
    this.#log = log;
  }

  protected get inner(): SqliteLog {
    return this.#log;
  }

  protected get isClosed(): boolean {
    return this.#isClosed;
  }

  async append(events: readonly NewEvent[], commit?: "grouped" | "now"): Promise<number> {
    const log = this.#log;
    try {
      return await log.append(events, commit);
    } catch (error) {
      if (!this.#heal(error, log)) throw error;
      return this.#log.append(events, commit);
    }
  }

  saveCursor(name: string, offset: number): void {
    this.#guarded((log) => log.saveCursor(name, offset));
  }

  seal(): void {
    this.#guarded((log) => log.seal());
  }

  maintain(seals?: boolean): boolean {
    return this.#guarded((log) => log.maintain(seals));
  }

  isSealDue(): boolean {
    return this.#guarded((log) => log.isSealDue());
  }

  async sealAside(signal: AbortSignal): Promise<void> {
    const log = this.#log;
    try {
      await log.sealAside(signal);
    } catch (error) {
      if (!this.#heal(error, log)) throw error;
    }
  }

  #guarded<T>(work: (log: SqliteLog) => T): T {
    const log = this.#log;
    try {
      return work(log);
    } catch (error) {
      if (!this.#heal(error, log)) throw error;
      return work(this.#log);
    }
  }

  protected recovers(error: unknown, failed: LogReader): boolean {
    return failed instanceof SqliteLog && this.#heal(error, failed);
  }

  /** True when the file was damaged and a new one has taken its place. */
  #heal(error: unknown, failed: SqliteLog): boolean {
    if (this.#isClosed || asLogError(error, this.path).code !== "LOG_CORRUPT") return false;
    // Of several appends that fail together the first one heals.
    if (this.#log !== failed) return true;
    const offsetsFrom = Math.max(headOf(failed), this.#options.clock.nowMs());
    try {
      failed.close();
    } catch {
      // A damaged file may not even close properly; its handle is given up.
    }
    this.#log = replace(this.#options, messageOf(error), Math.floor(offsetsFrom));
    return true;
  }

  close(): void {
    this.#isClosed = true;
    this.#log.close();
  }
}

function headOf(log: SqliteLog): number {
  try {
    return log.head();
  } catch {
    return 0;
  }
}

/** Moves the file aside and opens a new one, whose first event is the alarm. */
function replace(options: HealingOptions, reason: string, offsetsFrom: number): SqliteLog {
  const { clock, logger, path } = options;
  const aside = setAside(path, clock.nowMs());
  const log = new SqliteLog({ ...options, offsetsFrom });
  markAsOurs(path);
  const name = basename(aside[0] ?? path);
  logger.error({ reason, aside }, "the log was damaged: it is set aside, and a new one begins");
  tell(
    log,
    logger,
    alarmOf(
      log.ownStream,
      clock.nowMs(),
      "log-damaged",
      `The log was damaged (${reason}). It was set aside as ${name}, and a new one begins. To bring back what is readable: tailstock log salvage ${name}`,
    ),
  );
  return log;
}

function tell(log: SqliteLog, logger: Logger, ...events: NewEvent[]): void {
  log
    .append(events, "now")
    .catch((error) => logger.error({ err: error }, "an event about the log could not be appended"));
}

/**
 * Opens the collector's log, whatever state its file is in.
 * @throws EdgeError LOG_UNAVAILABLE, LOG_FULL, LOG_VERSION (a file that is not ours, or a newer one's: left as it is)
 */
export async function openHealingLog(options: HealingOptions): Promise<EventLog & ExaminableLog> {
  const { path, clock, logger } = options;
  const wal = existsSync(path) ? await inspect(`${path}-wal`) : undefined;
  if (wal?.state === "damaged" && wal.lossProven) {
    return new HealingLog(options, replace(options, wal.detail, Math.floor(clock.nowMs())));
  }
  let log: SqliteLog;
  try {
    log = new SqliteLog(options);
    log.head();
  } catch (cause) {
    const error = asLogError(cause, path);
    if (!isDamagedLog(error, path)) throw error;
    return new HealingLog(options, replace(options, messageOf(error), Math.floor(clock.nowMs())));
  }
  markAsOurs(path);
  const healing = new HealingLog(options, log);
  if (wal !== undefined && wal.state !== "none" && wal.state !== "clean") {
    // Numbers of a commit that did not get through may have been seen by somebody: they are not given out again.
    logger.warn({ detail: wal.detail }, "the last commit before this start was incomplete; a new epoch begins");
    log.checkpoint();
    if (wal.state === "damaged" && !log.isStructureSound()) {
      log.close();
      return new HealingLog(options, replace(options, wal.detail, Math.floor(clock.nowMs())));
    }
    log.beginEpoch("torn");
  }
  const lost = log.lostInTail();
  if (lost) {
    log.beginEpoch("damaged tail");
    const { samples, fromMs, toMs } = lost;
    const timeMs = clock.nowMs();
    const detail = `${lost.chunks} commits of the tail are damaged, ${lost.events} events with them`;
    const gap = { cause: "corrupt", samples, fromMs, toMs, detail } as const;
    logger.error({ ...lost }, "part of the log's tail is damaged");
    tell(
      log,
      logger,
      { type: "gap", machineId: log.ownStream, timeMs, data: gap },
      alarmOf(log.ownStream, timeMs, "tail-damaged", detail),
    );
  }
  return healing;
}

async function inspect(walPath: string): Promise<WalReport> {
  const report = inspectWal(walPath);
  if (report.state === "none" || report.state === "clean") return report;
  await delay(SECOND_LOOK_MS);
  return inspectWal(walPath);
}

/** A file that SQLite can't read is a log of ours only when the mark beside it says so; any other is left alone. */
function isDamagedLog(error: EdgeError, path: string): boolean {
  if (error.code === "LOG_CORRUPT") return true;
  return error.code === "LOG_VERSION" && existsSync(markOf(path)) && messageOf(error).includes("is not a SQLite file");
}

function markOf(path: string): string {
  return `${path}-mark`;
}

function markAsOurs(path: string): void {
  if (existsSync(markOf(path))) return;
  try {
    writeFileSync(markOf(path), "The file beside this one is a Tailstock log, whatever its first bytes say.\n");
  } catch {
    // Without the mark a file with a destroyed header is refused rather than replaced.
  }
}
