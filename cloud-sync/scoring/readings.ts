import type { TelemetryDocument } from "../store/telemetry-document.ts";

/** Readings of one signal in the order of their events. */
export interface SignalReadings {
  readonly signal: string;
  /** Index of the event in the run. */
  readonly event: ArrayLike<number>;
  readonly timeMs: ArrayLike<number>;
  readonly values: ArrayLike<number>;
  readonly statusCodes: ArrayLike<number>;
}

/** A run of one stream's telemetry, as scoring gets it: from a document, or from the lake. */
export interface Run {
  readonly machineId: string;
  readonly epoch: string;
  /** By the index of the event, ascending. */
  seq(event: number): number;
  timeMs(event: number): number;
  offset(event: number): number;
  entityId(event: number): string;
  readonly signals: readonly SignalReadings[];
}

/** Readings of some signals of a document, of events that count; undefined when it has none. @throws BlockError, FrameError */
export function runOf(document: TelemetryDocument, signals: readonly string[]): Run | undefined {
  if (document.kind === "block") return blockRun(document, signals);
  return document.kind === "events" ? eventsRun(document, signals) : undefined;
}

function blockRun(document: TelemetryDocument, signals: readonly string[]): Run | undefined {
  const { block, counts } = document;
  if (block === undefined) return undefined;
  const found: SignalReadings[] = [];
  for (const signal of signals) {
    const column = block.column(signal);
    if (column === undefined) continue;
    const { eventIndex, receivedMs, numbers, statusCodes } = column;
    if (counts === undefined)
      found.push({ signal, event: eventIndex, timeMs: receivedMs, values: numbers, statusCodes });
    else {
      const kept = Array.from(eventIndex.keys()).filter((i) => counts(eventIndex[i] as number));
      const of = (numbersOf: ArrayLike<number>): Float64Array => Float64Array.from(kept, (i) => numbersOf[i] as number);
      found.push({
        signal,
        event: of(eventIndex),
        timeMs: of(receivedMs),
        values: of(numbers),
        statusCodes: of(statusCodes),
      });
    }
  }
  if (found.length === 0) return undefined;
  const { epoch, machineId, firstSeq } = block.head;
  return {
    machineId,
    epoch,
    seq: (event) => firstSeq + event,
    timeMs: (event) => block.eventTimes()[event] as number,
    offset: (event) => block.eventOffsets()[event] as number,
    entityId: (event) => block.entityId(event),
    signals: found,
  };
}

function eventsRun(document: TelemetryDocument, signals: readonly string[]): Run | undefined {
  const { epoch, machineId } = document.fields;
  const events = document.events().filter(({ type }) => type === "telemetry");
  const rows = new Map(
    signals.map((signal) => [signal, { event: [], timeMs: [], values: [], statusCodes: [] } as Rows]),
  );
  let count = 0;
  events.forEach((event, index) => {
    if (event.type !== "telemetry") return;
    for (const { signal, value, statusCode, receivedTimestampMs } of event.data.samples) {
      const row = rows.get(signal);
      if (row === undefined) continue;
      row.event.push(index);
      row.timeMs.push(receivedTimestampMs);
      row.values.push(typeof value === "number" ? value : Number.NaN);
      row.statusCodes.push(statusCode);
      count++;
    }
  });
  if (count === 0) return undefined;
  return {
    machineId,
    epoch,
    seq: (event) => events[event]?.seq ?? 0,
    timeMs: (event) => events[event]?.timeMs ?? 0,
    offset: (event) => events[event]?.offset ?? 0,
    entityId: (event) => events[event]?.entityId ?? "",
    signals: [...rows].flatMap(([signal, row]) => (row.event.length === 0 ? [] : [{ signal, ...row }])),
  };
}

interface Rows {
  readonly event: number[];
  readonly timeMs: number[];
  readonly values: number[];
  readonly statusCodes: number[];
}
