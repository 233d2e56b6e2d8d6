import { createHash } from "node:crypto";
import { guarded } from "./block-error.ts";
import { type BlockHead, HASH_BYTES, publicHead, readFullHead, sectionOf } from "./block-head.ts";
import { LazyBlock } from "./decoded-block.ts";

/**
 * # Block format, version 1
 *
 * A block is a run of one machine's events, `seq` ascending without holes, in columns per signal. It is cold storage, what a trend
 * query reads, and what is sent. What follows is enough to write a decoder in another language; the sources named hold the tables
 * of constants. Everything is pinned for ever: test/golden/block/v1 holds blocks that every later decoder must read.
 *
 * Limits (limits.ts): 224 KiB a block, 1e6 events, 4e6 samples, 65,535 signals; texts 16 MiB each and 64 MiB together before packing;
 * 4e6 elements of arrays. A decoder checks each declared number against them before it reserves memory for it. Strings are
 * well-formed Unicode, arrays hold scalars only, all NaN are one, a time that is null is NaN, bigints have up to 1,024 bytes.
 *
 * ## Bytes
 * Little endian. varint: LEB128, up to 2^53 - 1. text: its length in bytes as varint, then UTF-8.
 *
 *   block    = head, then the sections, without gaps
 *   head     = "TSBK", version u8 (1), head bytes u32, block bytes u32, previous hash (16 bytes), earliest and latest event time f64,
 *              events, samples, signals, first seq, first offset, last offset varint,
 *              epoch: u8 1 and the 16 bytes of a UUID, or u8 0 and text; machine id text,
 *              number of sections varint, for each: bytes varint, CRC-32 u32; CRC-32 u32 of the head up to here
 *   sections = 0 events (stream), 1 rare (packed), 2 directory (packed), 3 slots (stream), 4 order (stream; empty: all usual),
 *              from 5 on pages: the signals' chunks, one behind the other, none across two pages
 *   packed   = nothing, or packing u8, raw bytes varint, content. Packing 0: as it is. 1: raw deflate (RFC 1951) with the text of
 *              vocabulary.ts as preset dictionary. 2: a zstd frame (RFC 8878)
 *   rare     = for each event that has a text: events passed over varint, flags u8, entity id text if 1, caused-by text if 2, data as
 *              JSON text if 4 (all events but telemetry, and only these). No entity id: it is "epoch/machineId/seq"
 *   directory = bytes of each name varint; samples of each signal varint (> 0); bytes of each chunk varint; the names
 * CRC-32 is that of zlib (polynomial 0xEDB88320). The previous hash is the first 16 bytes of the SHA-256 of the stream's block before.
 *
 * ## Streams
 * A stream is one number, written by a binary range coder (range-encoder.ts, range-decoder.ts): range begins as 2^31 - 1, the decoder's
 * code as the first four bytes, big endian. Behind the end stand four zero bytes.
 *   bit by a model with probability p of 0 (adaptive-bit.ts): bound = (range >> 16) * p; code < bound: 0, range = bound; else 1,
 *     range and code -= bound. Then while range < 2^23: range <<= 8, code = code << 8 | next byte
 *   n equally probable bits (n <= 12): range >>= n; value = code / range; code -= value * range; then as above
 * Below, "bits" are equally probable ones (more than twelve: the higher first, twelve at a time), a "model" is an adaptive bit that
 * begins at 1/2. number: its length in 6 bits, then the bits below its leading one. tree: bits by models that know the higher ones
 * (index-column.ts). integer: integer-code.ts, the heart of it all.
 *
 *   events   = column of times, column of types (index into EVENT_TYPES), column of the differences between offsets
 *   slots    = for source, server and received times: the slots of each telemetry event (time-slots.ts); then how most signals tell
 *              each of the three (4 bits each, time-column.ts)
 *   order    = for each telemetry event the order of its samples (sample-order.ts)
 *   chunk    = presence (2 bits, presence.ts): once in each telemetry event; as bits; as gaps; like signal n (16 bits);
 *              1 bit: its times go the usual way, else three time columns (time-column.ts);
 *              1 bit: not all status codes are 0, then a column of them; column of values
 *   column   = kind (3 bits), then by kind (column-decoder.ts); nothing at all for no values
 *     0 dictionary  entries (8 bits), their blob of tagged values, then which stands where (index-column.ts)
 *     1 integers    form (3 bits, number-form.ts), for decimals their places (4 bits), for products the factor (64 bits);
 *                   smoothing (4 bits, predictor.ts), holds (1 bit), step (1 bit, then a number unless it is 1),
 *                   the first integer (sign, number), then the others (integer-column.ts)
 *     2 wide        doubles, int64 or uint64 (2 bits) as 64-bit words (wide-column.ts)
 *     3 tagged      a blob of tagged values (tagged-value.ts)
 *     4 arrays      a column of lengths, a column of all elements
 *     5 odd         for each value a model (by the two before) whether it is odd; a column of the odd, a column of the others
 *   blob     = raw bytes (number), packing (2 bits, as above), packed bytes (number, unless packing is 0), 8 bits each
 *
 * ## How a column's encoding is chosen
 * The encoder is free; a decoder takes what comes. Ours (column-encoder.ts) looks for a form in which at least 11 of 12 numbers are
 * integers k with the same bits: k / 10^s as float64, the float32 nearest to it, k times a factor; the others are odd. Of ways that fit
 * (dictionary, integers, words) each is tried and the shortest taken; of smoothings those that leave the smallest residuals.
 */

/**
 * What a block is, from its head alone: cheap, nothing is decoded.
 * @throws BlockError version, truncated, checksum (of the head), limit, malformed
 */
export function readBlockHead(bytes: Uint8Array): BlockHead {
  return publicHead(guarded("the head", () => readFullHead(bytes)));
}

/**
 * Proves all checksums without decoding anything.
 * @throws BlockError as readBlockHead, and checksum for any other part
 */
export function verifyBlock(bytes: Uint8Array): BlockHead {
  return guarded("the block", () => {
    const head = readFullHead(bytes);
    for (let at = 0; at < head.sections.length; at++) sectionOf(bytes, head, at);
    return publicHead(head);
  });
}

/** The first 16 bytes of the SHA-256 of the whole block: what the next block of the stream carries as previousHash. */
export function blockHash(bytes: Uint8Array): Buffer {
  return createHash("sha256").update(bytes).digest().subarray(0, HASH_BYTES);
}

/**
 * Reads the head and nothing else yet; checksums of the other parts are proved as they are used. The bytes must not be changed
 * while the block is in use.
 * @throws BlockError as readBlockHead
 */
export function decodeBlock(bytes: Uint8Array): LazyBlock {
  return new LazyBlock(
    bytes,
    guarded("the head", () => readFullHead(bytes)),
  );
}
