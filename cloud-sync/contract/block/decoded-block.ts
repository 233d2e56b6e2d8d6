import { EVENT_TYPES, type EventType, type StoredEvent, type TelemetrySample } from "../event.ts";
import type { SampleValue } from "../sample.ts";
import type { BlockBuilder } from "./block-builder.ts";
import type { EventText } from "./block-content.ts";
import { guarded, malformed } from "./block-error.ts";
import { type BlockHead, type FullHead, publicHead, SectionAt, sectionOf } from "./block-head.ts";
import { ByteReader } from "./bytes.ts";
import { EventColumns } from "./event-columns.ts";
import { ELEMENTS_MAX, RAW_BYTES_MAX } from "./limits.ts";
import { lowerBound } from "./lower-bound.ts";
import type { SignalColumn } from "./signal-column.ts";
import { TelemetryDecoder, unpacked } from "./telemetry-decoder.ts";
import type { Budget } from "./text-pack.ts";
import { valueAt } from "./values.ts";

/** One signal's samples in their order. */
export interface DecodedColumn {
  /** UTC epoch ms. */
  readonly receivedMs: Float64Array;
  /** NaN where the sample has none. */
  readonly sourceMs: Float64Array;
  readonly statusCodes: Uint32Array;
  /** NaN where the value is no number; a bigint as the nearest number. */
  readonly numbers: Float64Array;
  /** All values are plain numbers: `numbers` is all that there is to know of them. */
  readonly isNumeric: boolean;
  /** The values themselves. */
  values(): readonly SampleValue[];
  /** Index in the block of the event that each sample is of. */
  readonly eventIndex: Uint32Array;
}

/** A block of which each part is decoded when it is first asked for; every method throws BlockError. */
export interface DecodedBlock {
  readonly head: BlockHead;
  /** Names of the signals that have samples. */
  readonly signals: readonly string[];
  /** Events firstIndex..endIndex (indices in the block, the end excluded), materialised: an object for each sample, so ask for few at a time. */
  events(firstIndex?: number, endIndex?: number): StoredEvent[];
  eventOffsets(): Float64Array;
  eventTimes(): Float64Array;
  /** entityId of an event by its index in the block, without touching telemetry columns. */
  entityId(index: number): string;
  /** undefined when the block has no sample of the signal. */
  column(signal: string): DecodedColumn | undefined;
  /** Events other than telemetry, without touching telemetry columns. */
  rareEvents(): StoredEvent[];
  /** Entity ids and causes that its events name, other than their own identities; telemetry columns are not touched. */
  identities(): string[];
  /**
   * Adds events firstIndex..endIndex to a builder of the same stream, without an object for each sample: another block of some of them.
   * @throws also what the builder throws
   */
  copyTo(builder: BlockBuilder, firstIndex: number, endIndex: number): void;
}

export class LazyBlock implements DecodedBlock {
  readonly head: BlockHead;
  readonly #bytes: Uint8Array;
  readonly #full: FullHead;
  readonly #budget: Budget = { rawBytes: 4 * RAW_BYTES_MAX, elements: ELEMENTS_MAX };
  readonly #telemetry: TelemetryDecoder;
  #events: EventColumns | undefined;
  #texts: Map<number, EventText> | undefined;

  constructor(bytes: Uint8Array, full: FullHead) {
    this.#bytes = bytes;
    this.#full = full;
    this.head = publicHead(full);
    this.#telemetry = new TelemetryDecoder(bytes, full, this.#budget, () => this.#eventColumns());
  }

  get signals(): readonly string[] {
    return guarded("the directory", () => this.#telemetry.directory.names);
  }

  eventTimes(): Float64Array {
    return guarded("the columns of the events", () => this.#eventColumns().timesMs);
  }

  eventOffsets(): Float64Array {
    return guarded("the columns of the events", () => this.#eventColumns().offsets());
  }

  entityId(index: number): string {
    const { epoch, machineId, firstSeq } = this.head;
    const own = guarded("the rare events", () => this.#eventTexts().get(index)?.entityId);
    return own ?? `${epoch}/${machineId}/${firstSeq + index}`;
  }

  column(signal: string): DecodedColumn | undefined {
    return guarded(`signal ${signal}`, () => {
      const number = this.#telemetry.directory.numberByName.get(signal);
      return number === undefined ? undefined : this.#publicColumn(this.#telemetry.column(number));
    });
  }

  #publicColumn({ eventOf, receivedMs, sourceMs, statusCodes, values }: SignalColumn): DecodedColumn {
    const { telemetry, timesMs } = this.#eventColumns();
    const isPlain = telemetry.length === timesMs.length;
    return {
      receivedMs,
      sourceMs,
      statusCodes,
      numbers: values.numbers,
      isNumeric: values.others === null,
      values: () => Array.from(values.numbers, (_, i) => valueAt(values, i)),
      eventIndex: isPlain ? eventOf : eventOf.map((t) => telemetry[t] as number),
    };
  }

  rareEvents(): StoredEvent[] {
    return guarded("the rare events", () => {
      const { types } = this.#eventColumns();
      const rare: StoredEvent[] = [];
      for (let index = 0; index < types.length; index++) {
        if (EVENT_TYPES[types[index] as number] !== "telemetry") rare.push(this.#event(index, undefined));
      }
      return rare;
    });
  }

  events(firstIndex = 0, endIndex = this.head.events): StoredEvent[] {
    return guarded("the events", () => {
      const { types } = this.#eventColumns();
      const from = Math.max(0, firstIndex);
      const to = Math.min(endIndex, this.head.events);
      const events: StoredEvent[] = [];
      let t = 0;
      for (let index = 0; index < to; index++) {
        const isTelemetry = EVENT_TYPES[types[index] as number] === "telemetry";
        if (index >= from) events.push(this.#event(index, isTelemetry ? this.#samples(t) : undefined));
        if (isTelemetry) t++;
      }
      return events;
    });
  }

  identities(firstIndex = 0, endIndex = this.head.events): string[] {
    return guarded("the rare events", () => {
      const found: string[] = [];
      for (const { event, entityId, causedBy } of this.#eventTexts().values()) {
        if (event < firstIndex || event >= endIndex) continue;
        if (entityId !== null) found.push(entityId);
        if (causedBy !== null) found.push(causedBy);
      }
      return found;
    });
  }

  copyTo(builder: BlockBuilder, firstIndex: number, endIndex: number): void {
    this.copyAs(builder, firstIndex, endIndex, this.head.firstSeq + firstIndex);
  }

  /** As copyTo, under other numbers: a bundle's run has its own. */
  copyAs(builder: BlockBuilder, firstIndex: number, endIndex: number, firstSeq: number): void {
    guarded("the events", () => {
      const { types, timesMs, telemetry } = this.#eventColumns();
      const offsets = this.#eventColumns().offsets();
      const refs: number[] = [];
      let t = lowerBound(telemetry, firstIndex);
      for (let index = firstIndex; index < endIndex; index++) {
        const type = EVENT_TYPES[types[index] as number] as EventType;
        const text = this.#eventTexts().get(index);
        const seq = firstSeq + index - firstIndex;
        const [entityId, causedBy, json] = [text?.entityId ?? null, text?.causedBy ?? null, text?.json ?? null];
        builder.beginEvent(seq, offsets[index] as number, type, timesMs[index] as number, entityId, causedBy, json);
        if (telemetry[t] === index) this.#copySamples(builder, t++, refs);
      }
    });
  }

  /** @param refs of the builder by number of the signal, filled as they are needed */
  #copySamples(builder: BlockBuilder, t: number, refs: number[]): void {
    const { firstSample, signals, indexes } = this.#telemetry.rows();
    for (let at = firstSample[t] as number; at < (firstSample[t + 1] as number); at++) {
      const signal = signals[at] as number;
      const i = indexes[at] as number;
      const column = this.#telemetry.column(signal);
      refs[signal] ??= builder.signalRef(this.#telemetry.directory.names[signal] as string);
      builder.addSample(
        refs[signal],
        valueAt(column.values, i),
        column.statusCodes[i] as number,
        column.sourceMs[i] as number,
        column.serverMs[i] as number,
        column.receivedMs[i] as number,
      );
    }
  }

  #samples(t: number): TelemetrySample[] {
    const { firstSample, signals, indexes } = this.#telemetry.rows();
    const samples: TelemetrySample[] = [];
    for (let at = firstSample[t] as number; at < (firstSample[t + 1] as number); at++) {
      const signal = signals[at] as number;
      const i = indexes[at] as number;
      const column = this.#telemetry.column(signal);
      samples.push({
        signal: this.#telemetry.directory.names[signal] as string,
        value: valueAt(column.values, i),
        statusCode: column.statusCodes[i] as number,
        sourceTimestampMs: orNull(column.sourceMs[i] as number),
        serverTimestampMs: orNull(column.serverMs[i] as number),
        receivedTimestampMs: column.receivedMs[i] as number,
      });
    }
    return samples;
  }

  #event(index: number, samples: TelemetrySample[] | undefined): StoredEvent {
    const { epoch, machineId, firstSeq } = this.head;
    const columns = this.#eventColumns();
    const text = this.#eventTexts().get(index);
    const type = EVENT_TYPES[columns.types[index] as number];
    if ((text?.json ?? null) === null ? samples === undefined : samples !== undefined) {
      throw malformed(`event ${index}, ${type}, has the wrong kind of data`);
    }
    const seq = firstSeq + index;
    // The parts were checked one by one; only the pairing of type and data is not seen by the compiler.
    return {
      epoch,
      machineId,
      seq,
      offset: columns.offsets()[index] as number,
      type,
      timeMs: columns.timesMs[index] as number,
      entityId: text?.entityId ?? `${epoch}/${machineId}/${seq}`,
      ...(text === undefined || text.causedBy === null ? {} : { causedBy: text.causedBy }),
      data: samples === undefined ? JSON.parse(text?.json ?? "") : { samples },
    } as StoredEvent;
  }

  #eventColumns(): EventColumns {
    this.#events ??= new EventColumns(sectionOf(this.#bytes, this.#full, SectionAt.Events), this.#full, this.#budget);
    return this.#events;
  }

  #eventTexts(): ReadonlyMap<number, EventText> {
    this.#texts ??= this.#readTexts();
    return this.#texts;
  }

  #readTexts(): Map<number, EventText> {
    const input = new ByteReader(unpacked(this.#bytes, this.#full, SectionAt.Rare, this.#budget));
    const texts = new Map<number, EventText>();
    let next = 0;
    while (input.left > 0) {
      const event = next + input.varint();
      if (event >= this.head.events) throw malformed(`data of event ${event} in a block of ${this.head.events}`);
      next = event + 1;
      const flags = input.u8();
      const text = (flag: number): string | null => ((flags & flag) === 0 ? null : input.text());
      texts.set(event, { event, entityId: text(1), causedBy: text(2), json: text(4) });
    }
    return texts;
  }
}

function orNull(timeMs: number): number | null {
  return Number.isNaN(timeMs) ? null : timeMs;
}
