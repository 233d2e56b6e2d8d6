import { constants, zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { ByteReader, ByteWriter } from "../bytes.ts";
import { kOf, MODES, modeOf, numberFor } from "../tail/value-modes.ts";

/** One minute of one signal: of its numbers with a status that is not Bad. Minutes are received time / 60,000. */
export interface MinuteAggregate {
  readonly minute: number;
  readonly count: number;
  readonly min: number;
  readonly max: number;
  /** Arithmetic mean, to a 65,535th of the range between min and max. */
  readonly mean: number;
}

export const MINUTE_MS = 60_000;
const BAD = 0x8000_0000;
const VERSION = 1;
const CONSTANT = 0x10;
const MEAN_STEPS = 65_535;
const RAW_BYTES_MAX = 8 * 1024 * 1024;
/** With a checksum: nothing else would tell a damaged aggregate from a true one. */
const COMPRESSION = { params: { [constants.ZSTD_c_compressionLevel]: 3, [constants.ZSTD_c_checksumFlag]: 1 } };

interface Cell {
  minute: number;
  count: number;
  min: number;
  max: number;
  sum: number;
}

/** Gathers the aggregates of a block's signals while it is being sealed. */
export class RollupBuilder {
  readonly #cells = new Map<number, Cell[]>();

  add(signalRef: number, receivedMs: number, value: number, statusCode: number): void {
    if (statusCode >= BAD || !Number.isFinite(value)) return;
    const minute = Math.floor(receivedMs / MINUTE_MS);
    let cells = this.#cells.get(signalRef);
    if (!cells) {
      cells = [];
      this.#cells.set(signalRef, cells);
    }
    let cell = cells[cells.length - 1];
    if (cell === undefined || cell.minute !== minute) {
      cell = { minute, count: 0, min: value, max: value, sum: 0 };
      cells.push(cell);
    }
    cell.count++;
    cell.sum += value;
    if (value < cell.min) cell.min = value;
    if (value > cell.max) cell.max = value;
  }

  /**
   * version u8, bytes of the first part varint, then two parts, zstd over all: what is alike from cell to cell apart from
   * what is not. First part: signals varint, then for each its number (distance to the one before) and its cells as
   * varints, then for each cell minute and count as zigzag distances to the cell before, form u8. Second part: for each cell
   * min and max as k of a number mode (value-modes.ts) or float64, and mean u16 as its place between them.
   * Begins anew. undefined when there was nothing.
   */
  finish(): Buffer | undefined {
    const cellsBySignal = [...this.#cells].sort((a, b) => a[0] - b[0]);
    this.#cells.clear();
    if (cellsBySignal.length === 0) return undefined;
    const shape = new ByteWriter(cellsBySignal.length * 16);
    const values = new ByteWriter(cellsBySignal.length * 32);
    shape.varint(cellsBySignal.length);
    let signalBefore = -1;
    let minuteBefore = 0;
    let countBefore = 0;
    for (const [signal, cells] of cellsBySignal) {
      shape.varint(signal - signalBefore - 1);
      signalBefore = signal;
      shape.varint(cells.length);
      let lowBefore = 0;
      let modeBefore = -1;
      for (const { minute, count, min, max, sum } of cells) {
        shape.zigzag(minute - minuteBefore);
        shape.zigzag(count - countBefore);
        minuteBefore = minute;
        countBefore = count;
        const isConstant = min === max;
        const mode = pairMode(min, max);
        // The form of the pair: its number mode, and whether max is left out.
        shape.u8((mode + 1) | (isConstant ? CONSTANT : 0));
        if (mode < 0) {
          values.f64(min);
          if (!isConstant) values.f64(max);
        } else {
          const low = kOf(mode, min);
          values.zigzag(mode === modeBefore ? low - lowBefore : low);
          if (!isConstant) values.varint(kOf(mode, max) - low);
          lowBefore = low;
        }
        modeBefore = mode;
        if (!isConstant) values.u16(placeOf(sum / count, min, max));
      }
    }
    const out = new ByteWriter(shape.length + values.length + 8);
    out.u8(VERSION);
    out.varint(shape.length);
    out.bytes(shape.take());
    out.bytes(values.take());
    return zstdCompressSync(out.take(), COMPRESSION);
  }
}

/** Between the two, in steps; sums and differences of the largest numbers are infinite. */
function placeOf(mean: number, min: number, max: number): number {
  const place = (mean / 2 - min / 2) / (max / 2 - min / 2);
  return Math.round(Math.min(1, Math.max(0, place || 0)) * MEAN_STEPS);
}

/** The first number mode that gives back both, -1 when none does. */
function pairMode(min: number, max: number): number {
  for (let mode = modeOf(min, 0); mode >= 0; mode = modeOf(min, mode + 1))
    if (!Number.isNaN(kOf(mode, max))) return mode;
  return -1;
}

/**
 * Aggregates of one signal, or of all when none is named.
 * @throws RangeError and zlib's errors when the bytes are no roll-up
 */
export function readRollup(bytes: Uint8Array, only?: number): Map<number, MinuteAggregate[]> {
  const raw = zstdDecompressSync(bytes, { maxOutputLength: RAW_BYTES_MAX });
  const head = new ByteReader(raw);
  const version = head.u8();
  if (version !== VERSION) throw new RangeError(`roll-up version ${version}, expected ${VERSION}`);
  const shapeBytes = head.varint();
  const shape = new ByteReader(raw, head.position, head.position + shapeBytes);
  const values = new ByteReader(raw, head.position + shapeBytes);
  const signals = shape.varint();
  const found = new Map<number, MinuteAggregate[]>();
  let signal = -1;
  let minute = 0;
  let count = 0;
  for (let i = 0; i < signals; i++) {
    signal += shape.varint() + 1;
    const cells = shape.varint();
    const aggregates: MinuteAggregate[] = [];
    let lowBefore = 0;
    let modeBefore = -1;
    for (let cell = 0; cell < cells; cell++) {
      minute += shape.zigzag();
      count += shape.zigzag();
      const form = shape.u8();
      const isConstant = (form & CONSTANT) !== 0;
      const mode = (form & 0x0f) - 1;
      if (mode >= MODES) throw new RangeError(`number mode ${mode}`);
      let min: number;
      let max: number;
      if (mode < 0) {
        min = values.f64();
        max = isConstant ? min : values.f64();
      } else {
        const low = values.zigzag() + (mode === modeBefore ? lowBefore : 0);
        min = numberFor(mode, low);
        max = isConstant ? min : numberFor(mode, low + values.varint());
        lowBefore = low;
      }
      modeBefore = mode;
      const place = isConstant ? 0 : values.u16() / MEAN_STEPS;
      const mean = min * (1 - place) + max * place;
      if (only === undefined || only === signal) aggregates.push({ minute, count, min, max, mean });
    }
    if (only === undefined || only === signal) found.set(signal, aggregates);
  }
  return found;
}
