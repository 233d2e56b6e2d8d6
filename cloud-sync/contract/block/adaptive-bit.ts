/**
 * An adaptive bit: how probable a 0 is, learnt from the bits seen so far. It is kept as one integer, p << 8 | n, where p is the
 * probability of 0 in 1/65536 and n counts the bits seen (up to SEEN_MAX). After a bit
 *   0: p += ((65536 - p) * RATE[n]) >> 12        1: p -= (p * RATE[n]) >> 12        n = min(n + 1, SEEN_MAX)
 * so that it begins as the average of all bits and ends as a moving average.
 */
const SEEN_MAX = 60;
/** floor(4096 / (n + 1.5)) */
const RATE = Int32Array.from({ length: SEEN_MAX + 1 }, (_, n) => Math.floor(4096 / (n + 1.5)));

/** Of a bit about which nothing is known. */
export const FAIR = 32_768 << 8;

/** @param pZero probability of 0 in 1/65536 @param seen how many bits this knowledge is worth */
export function prior(pZero: number, seen: number): number {
  return (pZero << 8) | seen;
}

export function afterZero(state: number): number {
  const seen = state & 0xff;
  const p = state >>> 8;
  return ((p + (((65_536 - p) * (RATE[seen] as number)) >> 12)) << 8) | (seen < SEEN_MAX ? seen + 1 : seen);
}

export function afterOne(state: number): number {
  const seen = state & 0xff;
  const p = state >>> 8;
  return ((p - ((p * (RATE[seen] as number)) >> 12)) << 8) | (seen < SEEN_MAX ? seen + 1 : seen);
}

/** So many adaptive bits that know nothing yet. */
export function fairBits(count: number): Int32Array {
  return new Int32Array(count).fill(FAIR);
}
