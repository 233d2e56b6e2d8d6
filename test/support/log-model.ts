import type { EventType, NewEvent, StoredEvent } from "../../cloud-sync/contract/event.ts";
import { numberOf, type SeriesSlice } from "../../edge/log/series.ts";

/** A line as numbers, so that two can be compared. */
export interface Line {
  readonly timesMs: number[];
  readonly numbers: number[];
  readonly statusCodes: number[];
}

/** The log as a plain array: what every read must answer, said in the shortest way. */
export class LogModel {
  readonly events: StoredEvent[] = [];
  readonly cursors = new Map<string, number>();
  readonly #lastSeqs = new Map<string, number>();
  readonly #epoch: string;

  constructor(epoch: string) {
    this.#epoch = epoch;
  }

  head(): number {
    return this.events.length;
  }

  append(events: readonly NewEvent[]): void {
    for (const event of events) {
      const { machineId } = event;
      const seq = (this.#lastSeqs.get(machineId) ?? 0) + 1;
      this.#lastSeqs.set(machineId, seq);
      const entityId = event.entityId ?? `${this.#epoch}/${machineId}/${seq}`;
      this.events.push({ ...event, epoch: this.#epoch, seq, offset: this.events.length + 1, entityId });
    }
  }

  lastSeq(machineId: string): number {
    return this.#lastSeqs.get(machineId) ?? 0;
  }

  after(offset: number, limitEvents: number, types?: readonly EventType[]): StoredEvent[] {
    return this.events.filter((event) => event.offset > offset && isOf(event, types)).slice(0, limitEvents);
  }

  stream(machineId: string, seq: number, limitEvents: number, types?: readonly EventType[]): StoredEvent[] {
    return this.events
      .filter((event) => event.machineId === machineId && event.seq > seq && isOf(event, types))
      .slice(0, limitEvents);
  }

  time(
    machineId: string,
    fromMs: number,
    toMs: number,
    { limitEvents, types, afterSeq = 0 }: { limitEvents: number; types?: readonly EventType[]; afterSeq?: number },
  ): StoredEvent[] {
    const isWithin = ({ timeMs }: StoredEvent): boolean => timeMs >= fromMs && timeMs < toMs;
    return this.stream(machineId, afterSeq, Number.POSITIVE_INFINITY, types).filter(isWithin).slice(0, limitEvents);
  }

  latest(machineId: string, type: EventType): StoredEvent | undefined {
    return this.events.findLast((event) => event.machineId === machineId && event.type === type);
  }

  streams(): { machineId: string; lastSeq: number; firstSeq: number }[] {
    return [...this.#lastSeqs.keys()]
      .sort((a, b) => (a < b ? -1 : 1))
      .map((machineId) => ({ machineId, lastSeq: this.#lastSeqs.get(machineId) ?? 0, firstSeq: 1 }));
  }

  line(machineId: string, signal: string, fromMs: number, toMs: number): Line {
    const samples = this.events
      .filter((event) => event.machineId === machineId && event.type === "telemetry")
      .flatMap((event) => (event.type === "telemetry" ? event.data.samples : []))
      .filter(
        (each) => each.signal === signal && each.receivedTimestampMs >= fromMs && each.receivedTimestampMs < toMs,
      );
    return {
      timesMs: samples.map(({ receivedTimestampMs }) => receivedTimestampMs),
      numbers: samples.map(({ value }) => numberOf(value)),
      statusCodes: samples.map(({ statusCode }) => statusCode),
    };
  }
}

function isOf({ type }: StoredEvent, types: readonly EventType[] | undefined): boolean {
  return types === undefined || types.includes(type);
}

/** One signal's line out of the pieces that a read gave. */
export function lineOf(pieces: Iterable<readonly SeriesSlice[]>, signal: string): Line {
  const line: Line = { timesMs: [], numbers: [], statusCodes: [] };
  for (const slice of [...pieces].flat().filter((each) => each.signal === signal)) {
    line.timesMs.push(...slice.timesMs);
    line.numbers.push(...slice.numbers);
    line.statusCodes.push(...slice.statusCodes);
  }
  return line;
}
