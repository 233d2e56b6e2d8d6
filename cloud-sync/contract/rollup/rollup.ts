import { constants, zstdDecompressSync } from "node:zlib";
import { BlockError, guarded, malformed } from "../block/block-error.ts";
import { ByteReader } from "../block/bytes.ts";
import { SAMPLES_MAX, SIGNALS_MAX } from "../block/limits.ts";
import { CELLS_MAX, CONSTANT, MEAN_STEPS, MINUTE_MAX, RAW_BYTES_MAX, VERSION } from "./layout.ts";
import type { MinuteAggregate } from "./minute.ts";
import { K_MAX, MODES, numberFor } from "./value-modes.ts";

/**
 * # Roll-up format, version 1
 *
 * The one-minute aggregates of a block's signals: made when the block is sealed, kept beside it, and what is left when its readings
 * have to make room. What follows is enough to write a decoder in another language. It is pinned for ever: test/golden/rollup/v1
 * holds roll-ups that every later decoder must read. Signals have numbers here; whoever keeps or sends a roll-up knows the names (in
 * a frame: frame/rollup-part.ts).
 *
 * ## Bytes
 * Little endian. varint: LEB128, up to 2^53 - 1, at most 8 bytes. zigzag: a varint v that is n = v / 2 when even, n = -(v + 1) / 2 when
 * odd.
 *
 *   roll-up  = one zstd frame (RFC 8878) with a content checksum and nothing behind it, of: version u8 (1), bytes of the shape varint,
 *              shape, values; both without anything left over
 *   shape    = number of signals varint, for each: its number as distance to the one before, less one, varint (the one before the
 *              first is -1, so numbers ascend), number of cells varint, for each cell: minute zigzag, count zigzag, form u8.
 *              Minute and count are distances to those of the cell before, that of the signal before included; 0 before the first
 *   form     = number mode + 1 in bits 0–3 (0: float64), bit 4 when min and max are the same number; bits 5–7 are 0
 *   values   = for each cell, in the order of the shape: min, then unless bit 4 is set max and mean.
 *              As float64: min f64, max f64. In a mode: k of min zigzag, k of max less k of min varint; when the signal's cell before has
 *              the same mode, k of min is a distance to its k of min. mean: u16, the place p between min and max in 65,535ths:
 *              min * (1 - p / 65535) + max * (p / 65535), and no less than min, no more than max
 *   mode m   = 0 to 13: the number is k / 10^(m >> 1) as float64; if m is odd, the float32 that is nearest to that. |k| < 2^40
 *
 * ## Meaning
 * A cell stands for the readings of one signal that were received within one minute since 1970 in UTC, floor(ms / 60,000), and are
 * finite numbers (a bigint as the float64 nearest to it, true as 1, false as 0) with a status code below 0x80000000: Good and
 * Uncertain, not Bad. Others are not counted. Cells stand in the order of the stream. When the clock was set back a minute has
 * several cells; at a block's ends a minute is shared with the block beside it (joinMinutes). min and max are exact.
 *
 * ## Limits
 * 8 MiB before compression (which also bounds the zstd window), 65,535 signals, 1,000,000 cells, counts from 1 to 4,000,000, minutes
 * within ±2^50. The zstd checksum proves the content; in a frame the CRC-32 of the part does so before.
 */
const ZSTD_MAGIC = 0xfd2f_b528;
const ZSTD_CHECKSUM_FLAG = 0x04;
const DECOMPRESSION = {
  info: true,
  maxOutputLength: RAW_BYTES_MAX,
  params: { [constants.ZSTD_d_windowLogMax]: Math.log2(RAW_BYTES_MAX) },
};

/**
 * Aggregates by number of the signal, of one or, when none is named, of all; in the order of the stream.
 * @throws BlockError version, truncated, checksum, limit, malformed when the bytes are no roll-up; nothing else, whatever they are
 */
export function readRollup(bytes: Uint8Array, only?: number): Map<number, MinuteAggregate[]> {
  return guarded("the roll-up", () => {
    const head = new ByteReader(unpacked(bytes));
    const version = head.u8();
    if (version !== VERSION)
      throw new BlockError("version", `roll-up format ${version}; this decoder knows ${VERSION}`);
    const shape = new ByteReader(head.bytes(head.varint()));
    const values = new ByteReader(head.bytes(head.left));
    const signals = shape.varint(SIGNALS_MAX);
    const found = new Map<number, MinuteAggregate[]>();
    const place: Place = { minute: 0, count: 0 };
    let signal = -1;
    let cellsLeft = CELLS_MAX;
    for (let i = 0; i < signals; i++) {
      signal += shape.varint() + 1;
      if (!Number.isSafeInteger(signal)) throw malformed("the number of a signal is too large");
      const cells = shape.varint();
      if (cells > cellsLeft) throw new BlockError("limit", `more than ${CELLS_MAX} cells in a roll-up`);
      cellsLeft -= cells;
      const isWanted = only === undefined || only === signal;
      const aggregates = readCells(shape, values, place, cells, isWanted);
      if (isWanted) found.set(signal, aggregates);
    }
    shape.end("the shape of a roll-up");
    values.end("the values of a roll-up");
    return found;
  });
}

/** Minute and count of the cell before. */
interface Place {
  minute: number;
  count: number;
}

/** The cells of one signal; they are passed over when they are not wanted. */
function readCells(shape: ByteReader, values: ByteReader, place: Place, cells: number, isWanted: boolean) {
  const aggregates: MinuteAggregate[] = [];
  let lowBefore = 0;
  let modeBefore = -1;
  for (let i = 0; i < cells; i++) {
    const minute = place.minute + shape.zigzag();
    const count = place.count + shape.zigzag();
    if (!(Math.abs(minute) <= MINUTE_MAX)) throw malformed(`minute ${minute}`);
    if (!(count >= 1 && count <= SAMPLES_MAX)) throw malformed(`a minute of ${count} readings`);
    place.minute = minute;
    place.count = count;
    const form = shape.u8();
    const isConstant = (form & CONSTANT) !== 0;
    const mode = (form & ~CONSTANT) - 1;
    if (mode >= MODES) throw malformed(`a cell of form ${form}`);
    let min: number;
    let max: number;
    if (mode < 0) {
      min = values.f64();
      max = isConstant ? min : values.f64();
      if (!Number.isFinite(min) || !Number.isFinite(max) || min > max) throw malformed(`from ${min} to ${max}`);
    } else {
      const low = values.zigzag() + (mode === modeBefore ? lowBefore : 0);
      const high = isConstant ? low : low + values.varint();
      if (low <= -K_MAX || high >= K_MAX) throw malformed(`a number of ${low} to ${high} in mode ${mode}`);
      min = numberFor(mode, low);
      max = numberFor(mode, high);
      lowBefore = low;
    }
    modeBefore = mode;
    const share = isConstant ? 0 : values.u16() / MEAN_STEPS;
    if (!isWanted) continue;
    const mean = Math.min(max, Math.max(min, min * (1 - share) + max * share));
    aggregates.push({ minute, count, min, max, mean });
  }
  return aggregates;
}

function unpacked(bytes: Uint8Array): Uint8Array {
  const head = new ByteReader(bytes);
  if (head.u32() !== ZSTD_MAGIC) throw new BlockError("version", "these bytes are no roll-up");
  if ((head.u8() & ZSTD_CHECKSUM_FLAG) === 0) throw malformed("a roll-up without a checksum");
  const { buffer, engine } = zstdOf(bytes);
  if (engine.bytesWritten !== bytes.length)
    throw malformed(`${bytes.length - engine.bytesWritten} bytes are left over behind the roll-up`);
  return buffer;
}

/** With `info` it gives the number of bytes that it took, too, which its type does not tell. */
function zstdOf(bytes: Uint8Array): { readonly buffer: Buffer; readonly engine: { readonly bytesWritten: number } } {
  try {
    return zstdDecompressSync(bytes, DECOMPRESSION) as unknown as ReturnType<typeof zstdOf>;
  } catch (cause) {
    const code = String((cause as { code?: unknown }).code);
    if (code === "Z_BUF_ERROR") throw new BlockError("truncated", "the end of the roll-up is missing", { cause });
    if (code === "ZSTD_error_checksum_wrong") throw new BlockError("checksum", "the roll-up was altered", { cause });
    if (code === "ERR_BUFFER_TOO_LARGE" || code === "ZSTD_error_frameParameter_windowTooLarge")
      throw new BlockError("limit", `a roll-up of more than ${RAW_BYTES_MAX} bytes`, { cause });
    throw new BlockError("malformed", "the roll-up does not unpack", { cause });
  }
}
