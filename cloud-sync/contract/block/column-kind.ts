/** How a column of values is written: the first three bits of its stream. */
export const Kind = {
  /** Distinct values as a blob of tagged values, then which of them stands where. */
  Dictionary: 0,
  /** Integers of a NumberForm. */
  Integers: 1,
  /** 64-bit words. */
  Wide: 2,
  /** Each value by itself, in a blob. */
  Tagged: 3,
  /** Arrays: a column of lengths, then a column of all elements. */
  Arrays: 4,
  /** A bit for each value says whether it is odd; then a column of the odd ones, then a column of the others. */
  Odd: 5,
} as const;

/** Columns within columns: odd ones of odd ones of arrays' elements. */
export const DEPTH_MAX = 4;
export const DICTIONARY_MAX = 255;
