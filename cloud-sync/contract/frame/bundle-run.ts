import type { BlockBuilder } from "../block/block-builder.ts";
import type { BlockHead } from "../block/block-head.ts";
import type { DecodedBlock, DecodedColumn, LazyBlock } from "../block/decoded-block.ts";
import { lowerBound } from "../block/lower-bound.ts";
import type { StoredEvent } from "../event.ts";

export interface RunPlace {
  readonly epoch: string;
  readonly machineId: string;
  readonly firstSeq: number;
  /** Index of its first event in the block that the runs share. */
  readonly firstEvent: number;
  readonly events: number;
}

/** One machine's part of a bundle, as if it were a block of its own: without a hash before it, and with no bytes. */
export class BundleRun implements DecodedBlock {
  readonly #shared: LazyBlock;
  readonly #place: RunPlace;
  #head: BlockHead | undefined;

  constructor(shared: LazyBlock, place: RunPlace) {
    this.#shared = shared;
    this.#place = place;
  }

  get head(): BlockHead {
    this.#head ??= this.#readHead();
    return this.#head;
  }

  #readHead(): BlockHead {
    const { epoch, machineId, firstSeq, events } = this.#place;
    const offsets = this.eventOffsets();
    const times = this.eventTimes();
    let samples = 0;
    for (const signal of this.signals) samples += this.column(signal)?.numbers.length ?? 0;
    return {
      version: this.#shared.head.version,
      epoch,
      machineId,
      firstSeq,
      lastSeq: firstSeq + events - 1,
      firstOffset: offsets[0] as number,
      lastOffset: offsets[events - 1] as number,
      events,
      samples,
      fromMs: times.reduce((least, timeMs) => Math.min(least, timeMs)),
      toMs: times.reduce((most, timeMs) => Math.max(most, timeMs)),
      previousHash: Buffer.alloc(16),
      headBytes: 0,
      bytes: 0,
    };
  }

  get signals(): readonly string[] {
    return this.#shared.signals.filter((signal) => {
      const [from, to] = this.#range(signal);
      return to > from;
    });
  }

  events(firstIndex = 0, endIndex = this.#place.events): StoredEvent[] {
    const { firstEvent, events } = this.#place;
    const from = Math.max(0, firstIndex);
    const shared = this.#shared.events(firstEvent + from, firstEvent + Math.min(endIndex, events));
    return shared.map((event) => this.#own(event));
  }

  eventOffsets(): Float64Array {
    const { firstEvent, events } = this.#place;
    return this.#shared.eventOffsets().subarray(firstEvent, firstEvent + events);
  }

  eventTimes(): Float64Array {
    const { firstEvent, events } = this.#place;
    return this.#shared.eventTimes().subarray(firstEvent, firstEvent + events);
  }

  rareEvents(): StoredEvent[] {
    const { firstEvent, events } = this.#place;
    return this.#shared
      .rareEvents()
      .filter(({ seq }) => seq > firstEvent && seq <= firstEvent + events)
      .map((event) => this.#own(event));
  }

  entityId(index: number): string {
    const { epoch, machineId, firstSeq, firstEvent } = this.#place;
    const shared = this.#shared.entityId(firstEvent + index);
    return shared === `//${firstEvent + index + 1}` ? `${epoch}/${machineId}/${firstSeq + index}` : shared;
  }

  column(signal: string): DecodedColumn | undefined {
    const column = this.#shared.column(signal);
    const [from, to] = this.#range(signal);
    if (column === undefined || from === to) return undefined;
    return {
      receivedMs: column.receivedMs.subarray(from, to),
      sourceMs: column.sourceMs.subarray(from, to),
      statusCodes: column.statusCodes.subarray(from, to),
      numbers: column.numbers.subarray(from, to),
      isNumeric: column.isNumeric,
      values: () => column.values().slice(from, to),
      eventIndex: column.eventIndex.subarray(from, to).map((index) => index - this.#place.firstEvent),
    };
  }

  identities(): string[] {
    const { firstEvent, events } = this.#place;
    return this.#shared.identities(firstEvent, firstEvent + events);
  }

  copyTo(builder: BlockBuilder, firstIndex: number, endIndex: number): void {
    const { firstEvent, firstSeq } = this.#place;
    this.#shared.copyAs(builder, firstEvent + firstIndex, firstEvent + endIndex, firstSeq + firstIndex);
  }

  /** Where the run's samples of a signal stand in the shared column: events ascend in it. */
  #range(signal: string): readonly [number, number] {
    const { firstEvent, events } = this.#place;
    const eventIndex = this.#shared.column(signal)?.eventIndex ?? new Uint32Array();
    return [lowerBound(eventIndex, firstEvent), lowerBound(eventIndex, firstEvent + events)];
  }

  /** In the shared block, seq is the index plus one. */
  #own(event: StoredEvent): StoredEvent {
    const { epoch, machineId, firstSeq, firstEvent } = this.#place;
    const seq = firstSeq + event.seq - 1 - firstEvent;
    const entityId = event.entityId === `//${event.seq}` ? `${epoch}/${machineId}/${seq}` : event.entityId;
    return { ...event, epoch, machineId, seq, entityId };
  }
}
