import type { EventType, StoredEvent, TelemetrySample } from "../../../cloud-sync/contract/event.ts";
import type { SampleValue } from "../../../cloud-sync/contract/sample.ts";
import type { MachineDecoder, SectionSink } from "./chain-decoder.ts";
import type { SectionHead } from "./chunk.ts";

/** Takes nothing: for what only has to be passed over so that the chain's state is right. */
export const NOWHERE: SectionSink = { event: () => undefined, sample: () => undefined };

/** Makes events of what a section holds. */
export class EventSink implements SectionSink {
  readonly events: StoredEvent[] = [];
  readonly #epoch: string;
  #machineId = "";
  #decoder: MachineDecoder | undefined;
  #offsetOfSeqZero = 0;
  #samples: TelemetrySample[] = [];

  constructor(epoch: string) {
    this.#epoch = epoch;
  }

  /** @param firstOffset of the section's first event */
  begin(section: SectionHead, firstOffset: number, decoder: MachineDecoder): this {
    this.#machineId = section.machineId;
    this.#offsetOfSeqZero = firstOffset - section.firstSeq;
    this.#decoder = decoder;
    return this;
  }

  event(
    seq: number,
    type: EventType,
    timeMs: number,
    entityId: string | null,
    causedBy: string | null,
    json: string | null,
  ): void {
    const machineId = this.#machineId;
    this.#samples = [];
    this.events.push({
      epoch: this.#epoch,
      machineId,
      seq,
      offset: this.#offsetOfSeqZero + seq,
      type,
      timeMs,
      entityId: entityId ?? `${this.#epoch}/${machineId}/${seq}`,
      ...(causedBy === null ? {} : { causedBy }),
      data: json === null ? { samples: this.#samples } : JSON.parse(json),
    } as StoredEvent);
  }

  sample(
    signal: number,
    value: SampleValue,
    statusCode: number,
    sourceMs: number,
    serverMs: number,
    receivedMs: number,
  ): void {
    this.#samples.push({
      signal: this.#decoder?.signalName(signal) ?? "",
      value,
      statusCode,
      sourceTimestampMs: Number.isNaN(sourceMs) ? null : sourceMs,
      serverTimestampMs: Number.isNaN(serverMs) ? null : serverMs,
      receivedTimestampMs: receivedMs,
    });
  }
}
