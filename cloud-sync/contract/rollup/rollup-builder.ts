import { constants, zstdCompressSync } from "node:zlib";
import { ByteWriter } from "../block/bytes.ts";
import { CELLS_MAX, CONSTANT, MEAN_STEPS, MINUTE_MAX, RAW_BYTES_MAX, VERSION } from "./layout.ts";
import { MINUTE_MS } from "./minute.ts";
import { kOf, modeOf } from "./value-modes.ts";

/** OPC UA: the severity bits of Bad, and what is reserved beyond. */
const BAD = 0x8000_0000;
/** With a checksum: nothing else would tell a damaged aggregate from a true one. */
const COMPRESSION = { params: { [constants.ZSTD_c_compressionLevel]: 3, [constants.ZSTD_c_checksumFlag]: 1 } };

interface Cell {
  minute: number;
  count: number;
  min: number;
  max: number;
  sum: number;
}

/** Gathers the aggregates of a block's signals while it is being sealed; rollup.ts tells the format. */
export class RollupBuilder {
  readonly #cells = new Map<number, Cell[]>();

  /** @param value anything but a finite number is left out, as is what has a Bad status, and a time that no clock shows */
  add(signalRef: number, receivedMs: number, value: number, statusCode: number): void {
    if (statusCode >= BAD || !Number.isFinite(value)) return;
    const minute = Math.floor(receivedMs / MINUTE_MS);
    if (!(Math.abs(minute) <= MINUTE_MAX)) return;
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

  /** Begins anew. undefined when there was nothing, or more than a decoder takes. */
  finish(): Buffer | undefined {
    const cellsBySignal = [...this.#cells].sort((a, b) => a[0] - b[0]);
    this.#cells.clear();
    const cellCount = cellsBySignal.reduce((sum, [, cells]) => sum + cells.length, 0);
    if (cellCount === 0 || cellCount > CELLS_MAX) return undefined;
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
    return out.length > RAW_BYTES_MAX ? undefined : zstdCompressSync(out.take(), COMPRESSION);
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
