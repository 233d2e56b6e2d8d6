/** What the encoder and the decoder of a roll-up (rollup.ts) have in common. */
export const VERSION = 1;
/** In a cell's form: all numbers of the minute were the same. */
export const CONSTANT = 0x10;
/** Places between min and max at which a mean may stand. */
export const MEAN_STEPS = 65_535;
/** Of a roll-up before compression; both a decoder's window and what it unpacks. */
export const RAW_BYTES_MAX = 8 * 1024 * 1024;
/** Far more than a block's readings can give. */
export const CELLS_MAX = 1_000_000;
/** Either side of 1970; distances stay exact. */
export const MINUTE_MAX = 2 ** 50;
