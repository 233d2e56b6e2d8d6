import type { LogUsage } from "./usage.ts";

export interface BoundsOptions {
  /** Most that the log may take of the disk, file and write-ahead log together. Default 10 GiB. */
  readonly quotaBytes?: number;
  /** Blocks older than this go, measured in the log's own running time. Default 30 days. */
  readonly maxAgeMs?: number;
  /**
   * What stays free on the disk for others: below it the log makes room as if its quota were smaller. Default 64 MiB; never
   * more than a twentieth of the disk.
   */
  readonly diskReserveBytes?: number;
  /** Name of the cursor up to which the cloud has acknowledged; undefined: nothing is ever forwarded. */
  readonly forwardedBy?: string;
}

export const QUOTA_BYTES = 10 * 2 ** 30;
export const MAX_AGE_MS = 30 * 86_400_000;
const DISK_RESERVE_BYTES = 64 * 2 ** 20;
const HEADROOM_SHARE = 1 / 20;
const CHECKPOINT_PAGES = 8_000;
const CHECKPOINT_PAGES_MIN = 250;
const PAGE_BYTES = 4_096;

/**
 * The quota in numbers. A twentieth of it is headroom, which telemetry never takes: sealing, alarms and the events that
 * tell of losses always find room. When the high mark (quota less headroom) is passed, as much goes as leads to the low
 * mark, one more headroom below: losses come in few and large pieces, each told once.
 */
export class Bounds {
  readonly quotaBytes: number;
  readonly maxAgeMs: number;
  readonly forwardedBy: string | undefined;
  readonly checkpointPages: number;
  readonly #diskReserveBytes: number;

  constructor(options: BoundsOptions) {
    this.quotaBytes = options.quotaBytes ?? QUOTA_BYTES;
    this.maxAgeMs = options.maxAgeMs ?? MAX_AGE_MS;
    this.forwardedBy = options.forwardedBy;
    this.#diskReserveBytes = options.diskReserveBytes ?? DISK_RESERVE_BYTES;
    // The write-ahead log counts too: of a small quota it may take no more than a sixteenth.
    const pages = Math.floor(this.quotaBytes / 16 / PAGE_BYTES);
    this.checkpointPages = Math.max(CHECKPOINT_PAGES_MIN, Math.min(CHECKPOINT_PAGES, pages));
  }

  /** The quota, or less where the disk itself has less to give. */
  limitBytes(usage: LogUsage): number {
    return Math.min(this.quotaBytes, this.diskLimitBytes(usage));
  }

  /** What the disk has for the log: what it takes now and what is free, less the reserve. */
  diskLimitBytes({ fileBytes, diskFreeBytes, diskBytes }: LogUsage): number {
    return Math.max(0, fileBytes + diskFreeBytes - Math.min(this.#diskReserveBytes, diskBytes / 20));
  }

  highBytes(usage: LogUsage): number {
    return this.limitBytes(usage) * (1 - HEADROOM_SHARE);
  }

  /** The quota whose high mark is at so many bytes. */
  static quotaFor(bytes: number): number {
    return Math.ceil(bytes / (1 - HEADROOM_SHARE));
  }

  /** Bytes that should go now; 0 while the log is below its high mark. */
  excess(usage: LogUsage): number {
    // A write-ahead log that can't be emptied (a long read, a full disk) is not made smaller by giving up what is in the
    // file: beyond four times its share it does not count.
    const usedBytes = usage.usedBytes - Math.max(0, usage.walBytes - 4 * this.checkpointPages * PAGE_BYTES);
    if (usedBytes <= this.highBytes(usage)) return 0;
    return usedBytes - this.limitBytes(usage) * (1 - 2 * HEADROOM_SHARE);
  }
}
