/** A block leaves room for a hub message's properties within 256 KB. */
export const BLOCK_BYTES_MAX = 224 * 1024;
export const EVENTS_MAX = 1_000_000;
export const SAMPLES_MAX = 4_000_000;
export const SIGNALS_MAX = 65_535;
/** Of a compressed text part, before compression: a decoder never unpacks more. */
export const RAW_BYTES_MAX = 16 * 1024 * 1024;
/** Elements of all arrays of one column together. */
export const ELEMENTS_MAX = 4_000_000;
/** Of one bigint, as its magnitude in bytes. */
export const BIGINT_BYTES_MAX = 1024;
