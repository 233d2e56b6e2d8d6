const EIGHT_OVER_PI = 8 / Math.PI;
const HALF_LN_TWO_PI = 0.5 * Math.log(2 * Math.PI);

/**
 * Natural logarithm of the probability that a standard normal number exceeds z ≥ 0, also where the probability itself is too small for
 * a double. The bound by √(z² + 8/π) (Abramowitz and Stegun 7.1.13): at most 6 % above the probability, and ever closer with z.
 */
export function lnUpperTail(z: number): number {
  return -0.5 * z * z - HALF_LN_TWO_PI + Math.log(2 / (z + Math.sqrt(z * z + EIGHT_OVER_PI)));
}
