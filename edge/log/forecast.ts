import { Bounds, type BoundsOptions } from "./keep/bounds.ts";
import type { LogParts, SqliteLogReader } from "./reader.ts";

/** How much of the past the rate is taken from. */
const WINDOW_MS = 3_600_000;
/** Row, index entries and the unfilled rest of a page, for each block. */
const BLOCK_OVERHEAD_BYTES = 180;
/** A reading of the tail once it will be sealed, where there is no block yet to tell. */
const BYTES_PER_READING_GUESS = 2;

export interface Forecast {
  readonly readingsPerS: number;
  readonly bytesPerReading: number;
  readonly bytesPerS: number;
  readonly usedBytes: number;
  /** What the log may take: its quota, or less where the disk has less. */
  readonly limitBytes: number;
  /** What may still be stored before readings are thinned, forwarded blocks counted as free. */
  readonly roomBytes: number;
  /** null when nothing is coming in. */
  readonly timeToFullMs: number | null;
  /** What the rate was taken from, in words. */
  readonly basis: string;
}

export interface OutageForecast {
  readonly durationMs: number;
  readonly readings: number;
  readonly neededBytes: number;
  readonly roomBytes: number;
  readonly fits: boolean;
  /** When the room would be used up; null when it is enough. */
  readonly fullAfterMs: number | null;
  /** Readings that would be reduced to one-minute aggregates. */
  readonly thinnedReadings: number;
  /** A quota that keeps every reading of such an outage. */
  readonly quotaNeededBytes: number;
}

/** What is coming in, and how long there is room for it. */
export function forecast(log: SqliteLogReader, options: BoundsOptions): Forecast {
  const bounds = new Bounds(options);
  const usage = log.usage();
  const forwarded = bounds.forwardedBy === undefined ? 0 : log.cursor(bounds.forwardedBy);
  const { readingsPerS, bytesPerReading, basis, forwardedBytes } = log.examine((parts) => rates(parts, forwarded));
  const limitBytes = bounds.limitBytes(usage);
  const roomBytes = Math.max(0, bounds.highBytes(usage) - usage.usedBytes + forwardedBytes);
  const bytesPerS = readingsPerS * bytesPerReading;
  return {
    readingsPerS,
    bytesPerReading,
    bytesPerS,
    usedBytes: usage.usedBytes,
    limitBytes,
    roomBytes,
    timeToFullMs: bytesPerS > 0 ? (roomBytes / bytesPerS) * 1_000 : null,
    basis,
  };
}

/** What an outage of the line would do at the present rate. */
export function simulateOutage(present: Forecast, durationMs: number): OutageForecast {
  const { bytesPerS, readingsPerS, roomBytes, limitBytes, bytesPerReading } = present;
  const neededBytes = (bytesPerS * durationMs) / 1_000;
  const fits = neededBytes <= roomBytes;
  const isHeadroom = limitBytes > 0 ? 1 - 1 / 20 : 1;
  return {
    durationMs,
    readings: Math.round((readingsPerS * durationMs) / 1_000),
    neededBytes,
    roomBytes,
    fits,
    fullAfterMs: fits ? null : (roomBytes / bytesPerS) * 1_000,
    thinnedReadings: fits ? 0 : Math.round((neededBytes - roomBytes) / bytesPerReading),
    quotaNeededBytes: Math.ceil((limitBytes * isHeadroom - roomBytes + neededBytes) / isHeadroom),
  };
}

function rates({ database, tail }: LogParts, forwardedOffset: number) {
  const newest = database.prepare("SELECT max(sealed_run_ms) FROM block").pluck().get() as number | null;
  const window = database
    .prepare(`
      SELECT sum(samples) AS samples, sum(bytes) AS bytes, count(*) AS blocks, min(sealed_run_ms) AS beginMs,
        (SELECT coalesce(sum(length(data)), 0) FROM rollup WHERE block_id IN
          (SELECT block_id FROM block WHERE sealed_run_ms > ?)) AS rollupBytes
      FROM block WHERE sealed_run_ms > ? AND state = 'whole'`)
    .get((newest ?? 0) - WINDOW_MS, (newest ?? 0) - WINDOW_MS) as {
    samples: number | null;
    bytes: number | null;
    blocks: number;
    beginMs: number | null;
    rollupBytes: number;
  };
  // The first group of the window was filled before it: it counts for the size of a reading, not for the rate.
  const first = database
    .prepare("SELECT coalesce(sum(samples), 0) FROM block WHERE sealed_run_ms = ? AND state = 'whole'")
    .pluck()
    .get(window.beginMs) as number;
  const spanMs = (newest ?? 0) - (window.beginMs ?? 0);
  const samples = window.samples ?? 0;
  const bytesPerReading =
    samples > 0
      ? ((window.bytes ?? 0) + window.rollupBytes + window.blocks * BLOCK_OVERHEAD_BYTES) / samples
      : BYTES_PER_READING_GUESS;
  const forwardedBytes = database
    .prepare("SELECT coalesce(sum(bytes), 0) FROM block WHERE last_offset <= ?")
    .pluck()
    .get(forwardedOffset) as number;
  if (spanMs > 0 && samples > first) {
    const basis = `blocks of the last ${Math.round(spanMs / 60_000)} minutes of running`;
    return { readingsPerS: ((samples - first) / spanMs) * 1_000, bytesPerReading, basis, forwardedBytes };
  }
  const fresh = tail.chunks.reduce((sum, chunk) => sum + chunk.samples, 0);
  const tailMs = (tail.chunks.at(-1)?.appendedMs ?? 0) - (tail.chunks[0]?.appendedMs ?? 0);
  const readingsPerS = tailMs > 0 ? (fresh / tailMs) * 1_000 : 0;
  return { readingsPerS, bytesPerReading, basis: "the newest readings, not sealed yet", forwardedBytes };
}
