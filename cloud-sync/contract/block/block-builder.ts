import { EVENT_TYPES, type EventType, type StoredEvent } from "../event.ts";
import type { SampleValue } from "../sample.ts";
import type { EventText } from "./block-content.ts";
import { encodeBlockContent } from "./block-encoder.ts";
import { BlockError } from "./block-error.ts";
import { Float64List, Uint32List } from "./growing.ts";
import { EVENTS_MAX, SAMPLES_MAX, SIGNALS_MAX } from "./limits.ts";
import { numberIn } from "./values.ts";

const TELEMETRY = EVENT_TYPES.indexOf("telemetry");
const EVENT_BYTES = 6;
const TEXT_SHARE = 0.5;

/**
 * Gathers a run of one machine's events and encodes them. It holds typed arrays, some 45 bytes a sample. A builder is used again and
 * again for the runs of its stream; signals keep their numbers.
 */
export class BlockBuilder {
  readonly #epoch: string;
  readonly #machineId: string;
  readonly #names: string[] = [];
  readonly #refByName = new Map<string, number>();
  #lastValues = new Float64Array(64).fill(Number.NaN);
  #content = new Collected();

  constructor(stream: { epoch: string; machineId: string }) {
    this.#epoch = stream.epoch;
    this.#machineId = stream.machineId;
  }

  get events(): number {
    return this.#content.offsets.length;
  }

  get samples(): number {
    return this.#content.numbers.length;
  }

  /** NaN while there is no event. */
  get firstSeq(): number {
    return this.#content.firstSeq;
  }

  /** NaN while there is no event. */
  get lastSeq(): number {
    return this.#content.firstSeq + this.events - 1;
  }

  /** About how many bytes finish() will give, rather too many than too few; end the block well before BLOCK_BYTES_MAX. */
  get estimatedBytes(): number {
    return Math.ceil(400 + this.#names.length * 16 + this.events * EVENT_BYTES + this.#content.estimatedBytes);
  }

  /**
   * Number of a signal within this builder; the same name gives the same number, also after finish().
   * @throws BlockError limit when there are too many
   */
  signalRef(name: string): number {
    let ref = this.#refByName.get(name);
    if (ref === undefined) {
      ref = this.#names.length;
      if (ref >= SIGNALS_MAX) throw new BlockError("limit", `more than ${SIGNALS_MAX} signals in one block`);
      this.#names.push(name);
      this.#refByName.set(name, ref);
      if (ref >= this.#lastValues.length) {
        const larger = new Float64Array(ref * 2).fill(Number.NaN);
        larger.set(this.#lastValues);
        this.#lastValues = larger;
      }
    }
    return ref;
  }

  /**
   * Begins the next event.
   * @param seq the previous event's + 1
   * @param timeMs finite
   * @param entityId null: the event's own identity
   * @param json the data of a non-telemetry event as JSON text, null for telemetry
   * @throws BlockError limit, malformed when the event cannot follow the previous one
   */
  beginEvent(
    seq: number,
    offset: number,
    type: EventType,
    timeMs: number,
    entityId: string | null,
    causedBy: string | null,
    json: string | null,
  ): void {
    const content = this.#content;
    const typeIndex = EVENT_TYPES.indexOf(type);
    const count = content.offsets.length;
    if (count > 0 && seq !== content.firstSeq + count) {
      throw new BlockError("malformed", `event ${seq} cannot follow event ${this.lastSeq}`);
    }
    if (
      !isWhole(seq) ||
      !isWhole(offset) ||
      !Number.isFinite(timeMs) ||
      typeIndex < 0 ||
      (typeIndex === TELEMETRY) !== (json === null)
    ) {
      throw new BlockError("malformed", `event ${seq} at offset ${offset}, ${type}, time ${timeMs} cannot be`);
    }
    if (count >= EVENTS_MAX) throw new BlockError("limit", `more than ${EVENTS_MAX} events in one block`);
    if (count === 0) content.firstSeq = seq;
    content.offsets.push(offset);
    content.timesMs.push(timeMs);
    content.types.push(typeIndex);
    content.firstSample.push(content.numbers.length);
    content.lastReceivedMs = timeMs;
    content.lastSourceMs = Number.NaN;
    const entity = entityId === `${this.#epoch}/${this.#machineId}/${seq}` ? null : entityId;
    if (entity !== null || causedBy !== null || json !== null) {
      content.texts.push({ event: count, entityId: entity, causedBy, json });
      content.estimatedBytes +=
        TEXT_SHARE * ((entity?.length ?? 0) + (causedBy?.length ?? 0) + (json?.length ?? 0)) + 16;
    }
  }

  /**
   * A sample of the telemetry event begun last.
   * @param signal from signalRef
   * @param statusCode unsigned 32 bits
   * @param sourceMs UTC epoch ms, may be fractional; NaN for none
   * @param serverMs as sourceMs
   * @throws BlockError limit, malformed outside a telemetry event
   */
  addSample(
    signal: number,
    value: SampleValue,
    statusCode: number,
    sourceMs: number,
    serverMs: number,
    receivedMs: number,
  ): void {
    const content = this.#content;
    const index = content.numbers.length;
    if (content.types.length === 0 || content.types.array[content.types.length - 1] !== TELEMETRY) {
      throw new BlockError("malformed", "a sample stands in no telemetry event");
    }
    if (!(signal >= 0 && signal < this.#names.length))
      throw new BlockError("malformed", `there is no signal ${signal}`);
    if (index >= SAMPLES_MAX) throw new BlockError("limit", `more than ${SAMPLES_MAX} samples in one block`);
    content.signals.push(signal);
    content.statusCodes.push(statusCode);
    content.sourceMs.push(sourceMs);
    content.serverMs.push(serverMs);
    content.receivedMs.push(receivedMs);
    let bytes = 0.15;
    if (receivedMs !== content.lastReceivedMs) bytes += 2;
    if (sourceMs !== content.lastSourceMs && !Number.isNaN(sourceMs)) bytes += 1.5;
    if (serverMs !== sourceMs && !Number.isNaN(serverMs)) bytes += 3;
    content.lastReceivedMs = receivedMs;
    content.lastSourceMs = sourceMs;
    if (typeof value === "number") {
      content.numbers.push(value);
      if (value !== this.#lastValues[signal]) bytes += bytesOf(value);
      this.#lastValues[signal] = value;
    } else {
      content.numbers.push(numberIn(value));
      content.others.push(value);
      content.othersAt.push(index);
      bytes += bytesOfOther(value);
    }
    content.estimatedBytes += bytes;
  }

  /**
   * Encodes what was gathered and begins anew. After an error nothing is lost: the builder still holds it all.
   * @param previousHash 16 bytes, blockHash of the stream's block before
   * @throws BlockError limit when the block would be larger than BLOCK_BYTES_MAX
   */
  finish(previousHash: Uint8Array): Buffer {
    const { firstSeq, texts, others, ...lists } = this.#content;
    const block = encodeBlockContent(
      {
        epoch: this.#epoch,
        machineId: this.#machineId,
        firstSeq: this.events === 0 ? 0 : firstSeq,
        offsets: lists.offsets.view(),
        timesMs: lists.timesMs.view(),
        types: lists.types.view(),
        firstSample: lists.firstSample.view(),
        texts,
        signalNames: this.#names,
        signals: lists.signals.view(),
        numbers: lists.numbers.view(),
        others,
        othersAt: lists.othersAt.view(),
        statusCodes: lists.statusCodes.view(),
        sourceMs: lists.sourceMs.view(),
        serverMs: lists.serverMs.view(),
        receivedMs: lists.receivedMs.view(),
      },
      previousHash,
    );
    this.discard();
    return block;
  }

  /** Forgets the gathered events; signals keep their numbers. */
  discard(): void {
    this.#content = new Collected();
  }
}

class Collected {
  firstSeq = Number.NaN;
  estimatedBytes = 0;
  lastReceivedMs = Number.NaN;
  lastSourceMs = Number.NaN;
  readonly texts: EventText[] = [];
  readonly others: SampleValue[] = [];
  readonly othersAt = new Uint32List();
  readonly offsets = new Float64List();
  readonly timesMs = new Float64List();
  readonly types = new Uint32List();
  readonly firstSample = new Uint32List();
  readonly signals = new Uint32List();
  readonly numbers = new Float64List();
  readonly statusCodes = new Uint32List();
  readonly sourceMs = new Float64List();
  readonly serverMs = new Float64List();
  readonly receivedMs = new Float64List();
}

function isWhole(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

function bytesOf(value: number): number {
  const thousandth = value * 1000;
  if (Math.round(thousandth) / 1000 === value) return 1.7;
  return Math.fround(value) === value ? 3.2 : 7.5;
}

function bytesOfOther(value: SampleValue): number {
  if (typeof value === "string") return 0.2 + value.length * 0.1;
  if (typeof value === "object" && value !== null) return 1 + value.length * 4;
  return typeof value === "bigint" ? 0.8 : 0.1;
}

/**
 * Encodes a run of one machine's events, seq ascending without holes. An empty run has no stream and cannot be encoded so.
 * @param previousHash 16 bytes, blockHash of the stream's block before
 * @throws BlockError limit when they do not fit into a block, malformed when they are no run
 */
export function encodeBlock(events: readonly StoredEvent[], previousHash: Uint8Array): Buffer {
  const first = events[0];
  if (first === undefined) throw new BlockError("malformed", "no events, so no stream to make a block of");
  const builder = new BlockBuilder(first);
  for (const event of events) {
    if (event.epoch !== first.epoch || event.machineId !== first.machineId) {
      throw new BlockError("malformed", `event ${event.seq} is of another stream than event ${first.seq}`);
    }
    addEvent(builder, event, event.seq, event.entityId);
  }
  return builder.finish(previousHash);
}

/**
 * Adds an event with its samples, under the seq and the entity id that it has in the block.
 * @throws BlockError as beginEvent and addSample
 */
export function addEvent(builder: BlockBuilder, event: StoredEvent, seq: number, entityId: string | null): void {
  const json = event.type === "telemetry" ? null : JSON.stringify(event.data);
  builder.beginEvent(seq, event.offset, event.type, event.timeMs, entityId, event.causedBy ?? null, json);
  if (event.type !== "telemetry") return;
  for (const sample of event.data.samples) {
    builder.addSample(
      builder.signalRef(sample.signal),
      sample.value,
      sample.statusCode,
      sample.sourceTimestampMs ?? Number.NaN,
      sample.serverTimestampMs ?? Number.NaN,
      sample.receivedTimestampMs,
    );
  }
}
