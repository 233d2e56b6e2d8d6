import type { SampleValue } from "../../contract/sample.ts";
import type { TelemetryDocument } from "../../store/telemetry-document.ts";
import type { Cell } from "./cell.ts";

const BAD = 0x8000_0000;

/**
 * Adds the readings of a document that count.
 * @param indexOf place of a signal in the cells; undefined when it has none
 * @param cellsAt the cells that a reading counts in; asked anew only when the minute is another
 * @throws BlockError when it is damaged
 */
export function addReadings(
  document: TelemetryDocument,
  indexOf: (signal: string) => number | undefined,
  minuteOf: (receivedMs: number) => number,
  cellsAt: (minute: number) => readonly Cell[],
): void {
  const { block, counts } = document;
  if (block === undefined) {
    for (const event of document.events()) {
      if (event.type !== "telemetry") continue;
      for (const { signal, value, statusCode, receivedTimestampMs } of event.data.samples) {
        const index = indexOf(signal);
        if (index !== undefined) addReading(cellsAt(minuteOf(receivedTimestampMs)), index, statusCode, numberOf(value));
      }
    }
    return;
  }
  let [minute, cells]: [number, readonly Cell[]] = [Number.NaN, []];
  for (const signal of block.signals) {
    const index = indexOf(signal);
    const column = index === undefined ? undefined : block.column(signal);
    if (index === undefined || column === undefined) continue;
    const { receivedMs, statusCodes, numbers, eventIndex, isNumeric } = column;
    let values: readonly SampleValue[] | undefined;
    for (let i = 0; i < numbers.length; i++) {
      if (counts !== undefined && !counts(eventIndex[i] as number)) continue;
      const own = minuteOf(receivedMs[i] as number);
      if (own !== minute) [minute, cells] = [own, cellsAt(own)];
      let number = numbers[i] as number;
      if (!isNumeric && Number.isNaN(number)) {
        values ??= column.values();
        number = numberOf(values[i] as SampleValue);
      }
      addReading(cells, index, statusCodes[i] as number, number);
    }
  }
}

function addReading(cells: readonly Cell[], index: number, statusCode: number, number: number): void {
  for (const cell of cells) {
    if (statusCode >= BAD) cell.addBad(index);
    else if (Number.isFinite(number)) cell.add(index, number);
  }
}

function numberOf(value: SampleValue): number {
  if (typeof value === "boolean") return value ? 1 : 0;
  return typeof value === "number" || typeof value === "bigint" ? Number(value) : Number.NaN;
}

/** The minutes in which the readings of a document count. */
export function minutesOf(document: TelemetryDocument, minuteOf: (receivedMs: number) => number): Set<number> {
  const minutes = new Set<number>();
  const { block } = document;
  let last: number | undefined;
  const add = (receivedMs: number): void => {
    const minute = minuteOf(receivedMs);
    if (minute !== last) minutes.add(minute);
    last = minute;
  };
  for (const signal of block?.signals ?? []) {
    const receivedMs = block?.column(signal)?.receivedMs ?? new Float64Array();
    for (let i = 0; i < receivedMs.length; i++) add(receivedMs[i] as number);
  }
  if (block === undefined)
    for (const event of document.events())
      if (event.type === "telemetry") for (const sample of event.data.samples) add(sample.receivedTimestampMs);
  return minutes;
}
