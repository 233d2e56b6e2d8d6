/**
 * Request units as they are documented: about 5 for a kilobyte written without much of an index, 1 for a kilobyte read by its key; what
 * replaces something takes its place out, too. Queries and feeds pay for what they read and a little for themselves. A real account
 * charges by more than that; its numbers are in its answers.
 */
const WRITE_UNITS_PER_KB = 5;
const READ_UNITS_PER_KB = 1;
const QUERY_UNITS = 2.3;
const FEED_UNITS = 1;

const kilobytes = (bytes: number): number => Math.max(1, bytes / 1024);

export function writeCharge(bytes: number, replacedBytes: number | undefined): number {
  return WRITE_UNITS_PER_KB * (kilobytes(bytes) + (replacedBytes === undefined ? 0 : kilobytes(replacedBytes)));
}

export function readCharge(bytes: number): number {
  return READ_UNITS_PER_KB * kilobytes(bytes);
}

export function queryCharge(bytes: number): number {
  return QUERY_UNITS + (bytes / 1024) * READ_UNITS_PER_KB;
}

export function feedCharge(bytes: number): number {
  return FEED_UNITS + (bytes / 1024) * READ_UNITS_PER_KB;
}
