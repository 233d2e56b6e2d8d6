import { Bounds, type BoundsOptions } from "./keep/bounds.ts";
import type { ExaminableLog, LogParts } from "./reader.ts";

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
  readonly quotaBytes: number;
  /** What the disk has for the log, whatever the quota says. */
  readonly diskLimitBytes: number;
  /** What the log may take: its quota, or less where the disk has less. */
  readonly limitBytes: number;
  /** Up to where readings may fill it; the rest is kept for sealing and for what is not telemetry. */
  readonly highBytes: number;
  /** Of what is used: blocks that the cloud has, which go first. */
  readonly forwardedBytes: number;
  /** What may still be stored before readings are thinned, forwarded blocks counted as free. */
  readonly roomBytes: number;
  /** null when nothing is coming in. */
  readonly timeToFullMs: number | null;
  /** Age, in the log's running time, at which readings go whether there is room or not. */
  readonly maxAgeMs: number;
  /** What thinning a reading gives back: less than it takes, for its share of the one-minute aggregates stays. */
  readonly thinnedBytesPerReading: number;
  /** Readings that are here in whole blocks. */
  readonly wholeReadings: number;
  /** What the rate was taken from, in words. */
  readonly basis: string;
}

export interface OutageForecast {
  readonly durationMs: number;
  readonly readings: number;
  readonly neededBytes: number;
  readonly roomBytes: number;
  /** Every reading of the outage is still here at its end. */
  readonly fits: boolean;
  /** When the room would be used up; null when it is enough. */
  readonly fullAfterMs: number | null;
  /** Readings, the oldest first, that would be reduced to one-minute aggregates; those from before the outage count too. */
  readonly thinnedReadings: number;
  /** Readings of the outage that would be older than the log keeps before it ends. */
  readonly expiredReadings: number;
  /** A quota that keeps every reading of such an outage. */
  readonly quotaNeededBytes: number;
}

/** What is coming in, and how long there is room for it. */
export function forecast(log: ExaminableLog, options: BoundsOptions): Forecast {
  const bounds = new Bounds(options);
  const usage = log.usage();
  const forwarded = bounds.forwardedBy === undefined ? 0 : log.cursor(bounds.forwardedBy);
  const { readingsPerS, basis, ...rest } = log.examine((parts) => rates(parts, forwarded));
  const { bytesPerReading, forwardedBytes } = rest;
  const limitBytes = bounds.limitBytes(usage);
  const highBytes = bounds.highBytes(usage);
  const roomBytes = Math.max(0, highBytes - usage.usedBytes + forwardedBytes);
  const bytesPerS = readingsPerS * bytesPerReading;
  return {
    readingsPerS,
    ...rest,
    bytesPerS,
    usedBytes: usage.usedBytes,
    quotaBytes: bounds.quotaBytes,
    diskLimitBytes: bounds.diskLimitBytes(usage),
    limitBytes,
    highBytes,
    roomBytes,
    timeToFullMs: bytesPerS > 0 ? (roomBytes / bytesPerS) * 1_000 : null,
    maxAgeMs: bounds.maxAgeMs,
    basis,
  };
}

/** What an outage of the line would do at the present rate. */
export function simulateOutage(present: Forecast, durationMs: number): OutageForecast {
  const { bytesPerS, readingsPerS, roomBytes, usedBytes, forwardedBytes, maxAgeMs } = present;
  const readings = (readingsPerS * durationMs) / 1_000;
  const neededBytes = (bytesPerS * durationMs) / 1_000;
  const isFull = neededBytes > roomBytes;
  const expiredReadings = Math.round((readingsPerS * Math.max(0, durationMs - maxAgeMs)) / 1_000);
  const toThin = present.thinnedBytesPerReading > 0 ? (neededBytes - roomBytes) / present.thinnedBytesPerReading : 0;
  return {
    durationMs,
    readings: Math.round(readings),
    neededBytes,
    roomBytes,
    fits: !isFull && expiredReadings === 0,
    fullAfterMs: isFull ? (roomBytes / bytesPerS) * 1_000 : null,
    thinnedReadings: isFull ? Math.round(Math.min(toThin, readings + present.wholeReadings)) : 0,
    expiredReadings,
    quotaNeededBytes: Bounds.quotaFor(usedBytes - forwardedBytes + neededBytes),
  };
}

interface BlockRow {
  readonly samples: number;
  readonly bytes: number;
  readonly runMs: number;
  readonly rollupBytes: number;
}

function rates({ database, tail }: LogParts, forwardedOffset: number) {
  let samples = 0;
  let bytes = 0;
  let rollupBytes = 0;
  let blocks = 0;
  let newestMs = 0;
  let oldestMs = 0;
  let oldestSamples = 0;
  // From the newest block back: the log may hold a month of them.
  const rows = database
    .prepare(`
      SELECT samples, bytes, sealed_run_ms AS runMs, coalesce(length(rollup), 0) AS rollupBytes
      FROM block JOIN block_data USING (block_id) WHERE state = 'whole' ORDER BY block_id DESC`)
    .iterate() as IterableIterator<BlockRow>;
  for (const row of rows) {
    if (blocks === 0) newestMs = row.runMs;
    else if (row.runMs <= newestMs - WINDOW_MS) break;
    blocks++;
    samples += row.samples;
    bytes += row.bytes;
    rollupBytes += row.rollupBytes;
    // The first group of the window was filled before it: it counts for the size of a reading, not for the rate.
    oldestSamples = row.runMs === oldestMs && blocks > 1 ? oldestSamples + row.samples : row.samples;
    oldestMs = row.runMs;
  }
  const forwardedBytes = database
    .prepare("SELECT coalesce(sum(bytes), 0) FROM block WHERE last_offset <= ?")
    .pluck()
    .get(forwardedOffset) as number;
  const wholeReadings = database
    .prepare("SELECT coalesce(sum(samples), 0) FROM block WHERE state = 'whole'")
    .pluck()
    .get() as number;
  const rest = {
    bytesPerReading:
      samples > 0 ? (bytes + rollupBytes + blocks * BLOCK_OVERHEAD_BYTES) / samples : BYTES_PER_READING_GUESS,
    thinnedBytesPerReading: samples > 0 ? bytes / samples : BYTES_PER_READING_GUESS,
    forwardedBytes,
    wholeReadings,
  };
  const spanMs = newestMs - oldestMs;
  if (spanMs > 0 && samples > oldestSamples) {
    const basis = `blocks of the last ${Math.round(spanMs / 60_000)} minutes of running`;
    return { readingsPerS: ((samples - oldestSamples) / spanMs) * 1_000, basis, ...rest };
  }
  // So are the readings of the first commit: they came before its time.
  const [first, ...later] = tail.chunks;
  const fresh = later.reduce((sum, chunk) => sum + chunk.samples, 0);
  const tailMs = (later.at(-1)?.appendedMs ?? 0) - (first?.appendedMs ?? 0);
  const readingsPerS = tailMs > 0 ? (fresh / tailMs) * 1_000 : 0;
  return { readingsPerS, basis: "the newest readings, not sealed yet", ...rest };
}
