import { setImmediate as nextTurn } from "node:timers/promises";
import type { DecodedBlock } from "../contract/block/decoded-block.ts";
import type { StoredEvent } from "../contract/event.ts";
import type { SampleValue } from "../contract/sample.ts";
import type { BatchFiles, Sink } from "./batch-files.ts";
import { instantOf, instantUsOf } from "./columns.ts";
import { numberOfValue, textOfValue } from "./lake-value.ts";
import type { NumberColumn, TextColumn } from "./parquet/column.ts";
import { DAY_MS } from "./partition.ts";

/** A row group of its own for a machine that has so many; smaller ones share theirs, for each costs about 1 KB. */
const MACHINE_ROWS_MIN = 20_000;

/** Readings of one machine in columns by signal, time ascending within each as a rule. */
export interface ReadingSource {
  readonly epoch: string;
  readonly signals: readonly string[];
  column(signal: string): ReadingColumn | undefined;
}

export interface ReadingColumn {
  readonly receivedMs: Float64Array;
  readonly sourceMs: Float64Array;
  readonly statusCodes: Uint32Array;
  readonly numbers: Float64Array;
  readonly isNumeric: boolean;
  values(): readonly SampleValue[];
  readonly seqs: Float64Array;
  /** Which rows count; all do when undefined. */
  readonly counts: Uint8Array | undefined;
}

/** The samples of a block. */
export function blockSource(block: DecodedBlock, counts: ((eventIndex: number) => boolean) | undefined): ReadingSource {
  const { epoch, firstSeq } = block.head;
  return {
    epoch,
    signals: block.signals,
    column: (signal) => {
      const column = block.column(signal);
      if (column === undefined) return undefined;
      const { eventIndex } = column;
      return {
        receivedMs: column.receivedMs,
        sourceMs: column.sourceMs,
        statusCodes: column.statusCodes,
        numbers: column.numbers,
        isNumeric: column.isNumeric,
        values: () => column.values(),
        seqs: Float64Array.from(eventIndex, (index) => firstSeq + index),
        counts: counts && Uint8Array.from(eventIndex, (index) => (counts(index) ? 1 : 0)),
      };
    },
  };
}

/** The samples of telemetry that came as JSON. */
export function eventsSource(epoch: string, events: readonly StoredEvent[]): ReadingSource {
  const rows = events.flatMap((event) =>
    event.type === "telemetry" ? event.data.samples.map((sample) => ({ sample, seq: event.seq })) : [],
  );
  const bySignal = Map.groupBy(rows, ({ sample }) => sample.signal);
  return {
    epoch,
    signals: [...bySignal.keys()],
    column: (signal) => {
      const own = bySignal.get(signal);
      if (own === undefined) return undefined;
      return {
        receivedMs: Float64Array.from(own, ({ sample }) => sample.receivedTimestampMs),
        sourceMs: Float64Array.from(own, ({ sample }) => sample.sourceTimestampMs ?? Number.NaN),
        statusCodes: Uint32Array.from(own, ({ sample }) => sample.statusCode),
        numbers: Float64Array.from(own, ({ sample }) => numberOfValue(sample.value) ?? Number.NaN),
        isNumeric: false,
        values: () => own.map(({ sample }) => sample.value),
        seqs: Float64Array.from(own, ({ seq }) => seq),
        counts: undefined,
      };
    },
  };
}

/** Adds the readings of one machine, by signal, then in the order of the sources. */
export async function addReadings(
  files: BatchFiles,
  factoryId: string,
  machineId: string,
  sources: readonly ReadingSource[],
): Promise<void> {
  const signals = [...new Set(sources.flatMap((source) => source.signals))].sort();
  for (const signal of signals) {
    await nextTurn();
    for (const source of sources) {
      const column = source.column(signal);
      if (column === undefined) continue;
      await addColumn(files, { factoryId, machineId, signal, epoch: source.epoch }, column);
    }
  }
  await files.settle(MACHINE_ROWS_MIN);
}

interface Names {
  readonly factoryId: string;
  readonly machineId: string;
  readonly signal: string;
  readonly epoch: string;
}

async function addColumn(files: BatchFiles, names: Names, column: ReadingColumn): Promise<void> {
  const { receivedMs, counts } = column;
  const values = column.isNumeric ? undefined : column.values();
  const { length } = receivedMs;
  for (let at = 0; at < length; ) {
    const timeMs = receivedMs[at] as number;
    const sink = files.sink("readings", names.factoryId, timeMs);
    const day = Math.floor(timeMs / DAY_MS);
    let end = at + 1;
    while (end < length && Math.floor((receivedMs[end] as number) / DAY_MS) === day) end++;
    for (let from = at; from < end; ) {
      from = addRun(sink, names, column, values, counts, from, end);
      if (from < end) await sink.flush();
    }
    if (files.isFull()) await files.settle();
    at = end;
  }
}

/** Adds rows up to `to`, or until the row group is full. @returns the first row that is left */
function addRun(
  sink: Sink,
  { machineId, signal, epoch }: Names,
  { receivedMs, sourceMs, statusCodes, numbers, seqs }: ReadingColumn,
  values: readonly SampleValue[] | undefined,
  counts: Uint8Array | undefined,
  from: number,
  to: number,
): number {
  const [machineIds, signals, times, sourceTimes, numbersOut, texts, statuses, epochs, seqsOut] =
    sink.columns as unknown as [
      TextColumn,
      TextColumn,
      NumberColumn,
      NumberColumn,
      NumberColumn,
      TextColumn,
      NumberColumn,
      TextColumn,
      NumberColumn,
    ];
  const machinePlace = machineIds.placeOf(machineId);
  const signalPlace = signals.placeOf(signal);
  const epochPlace = epochs.placeOf(epoch);
  for (let i = from; i < to; i++) {
    if (counts !== undefined && counts[i] === 0) continue;
    machineIds.pushPlace(machinePlace);
    signals.pushPlace(signalPlace);
    epochs.pushPlace(epochPlace);
    const time = instantOf(receivedMs[i] as number);
    if (time === undefined) times.pushNull();
    else times.push(time);
    sink.noteTime(time);
    const sourceUs = instantUsOf(sourceMs[i] as number);
    if (sourceUs === undefined) sourceTimes.pushNull();
    else sourceTimes.push(sourceUs);
    if (values === undefined) {
      numbersOut.push(numbers[i] as number);
      texts.pushNull();
    } else {
      const value = values[i] as SampleValue;
      const number = numberOfValue(value);
      if (number === null) numbersOut.pushNull();
      else numbersOut.push(number);
      const text = textOfValue(value);
      if (text === null) texts.pushNull();
      else texts.push(text);
    }
    statuses.push(statusCodes[i] as number);
    seqsOut.push(seqs[i] as number);
    if (sink.endRow()) return i + 1;
  }
  return to;
}
