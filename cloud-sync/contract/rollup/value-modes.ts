/**
 * How a number of a device usually looks: k / 10^s in decimal, often squeezed through a float32 on the way. A mode is
 * 2 × s, plus 1 when the value is the float32 nearest to k / 10^s.
 */
export const MODES = 14;
const SCALES = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000] as const;
/** Larger numbers are not worth a decimal form, and k stays exact far below 2^53. */
export const K_MAX = 2 ** 40;

export function numberFor(mode: number, k: number): number {
  const value = k / (SCALES[mode >> 1] as number);
  return (mode & 1) === 1 ? Math.fround(value) : value;
}

/** k of the value in this mode, or NaN when the mode does not give back the same 64 bits. */
export function kOf(mode: number, value: number): number {
  const scale = SCALES[mode >> 1] as number;
  const k = Math.round(value * scale);
  const back = k / scale;
  if (((mode & 1) === 1 ? Math.fround(back) : back) !== value) return Number.NaN;
  if (k >= K_MAX || k <= -K_MAX || (k === 0 && 1 / value < 0)) return Number.NaN;
  return k;
}

/** The first mode, from `from` on, that holds the value; -1 when none does. */
export function modeOf(value: number, from: number): number {
  for (let mode = from; mode < MODES; mode++) if (!Number.isNaN(kOf(mode, value))) return mode;
  return -1;
}
