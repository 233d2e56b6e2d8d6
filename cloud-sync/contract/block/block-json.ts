import type { EventType, JsonValue, StoredEvent, TelemetrySample } from "../event.ts";
import type { SampleValue, ScalarValue } from "../sample.ts";
import { BlockBuilder } from "./block-builder.ts";
import { guarded, malformed } from "./block-error.ts";
import { HASH_BYTES } from "./block-head.ts";
import type { DecodedBlock } from "./decoded-block.ts";

/**
 * A block for consumers that read no blocks: the same events, losslessly, as JSON with a column for each signal. Numbers that
 * JSON does not have are tagged strings: "$NaN", "$-0", "$Infinity", "$-Infinity", "$123n" (64-bit integers); a string that
 * itself begins with "$" has one more in front.
 */
export interface BlockJson {
  readonly format: "tailstock-block";
  readonly version: 1;
  readonly epoch: string;
  readonly machineId: string;
  readonly firstSeq: number;
  /** Hexadecimal. */
  readonly previousHash: string;
  readonly events: {
    /** UTC epoch ms of each event. */
    readonly t: readonly TaggedNumber[];
    readonly offset: readonly number[];
  };
  /** Events that are not telemetry, or are not their own entity, or have a cause. */
  readonly texts: readonly EventJson[];
  readonly signals: readonly SignalJson[];
  /** Of events whose samples are not in the order of `signals`: event index, then the samples' indexes into `signals`. */
  readonly order: readonly (readonly number[])[];
}

export interface EventJson {
  /** Index of the event. */
  readonly e: number;
  /** Left out: telemetry. */
  readonly type?: EventType;
  readonly entityId?: string;
  readonly causedBy?: string;
  readonly data?: JsonValue;
}

export interface SignalJson {
  readonly signal: string;
  /** Index of each sample's event; left out: one in each telemetry event. */
  readonly e?: readonly number[];
  /** Values. */
  readonly v: readonly TaggedValue[];
  /** Status codes; left out: all Good (0). */
  readonly q?: readonly number[];
  /** Source times, UTC epoch ms, null for none; left out: none at all. */
  readonly t?: readonly (TaggedNumber | null)[];
  /** Server times; left out: as the source times. */
  readonly server?: readonly (TaggedNumber | null)[];
  /** When the box received them; left out: as the event's time. */
  readonly received?: readonly TaggedNumber[];
}
type TaggedNumber = number | string;
type TaggedScalar = number | string | boolean | null;
type TaggedValue = TaggedScalar | readonly TaggedScalar[];

interface Placed extends TelemetrySample {
  readonly event: number;
  readonly eventMs: number;
}

/** @throws BlockError when the block cannot be decoded */
export function blockToJson(block: DecodedBlock): BlockJson {
  const { epoch, machineId, firstSeq, previousHash } = block.head;
  const events = block.events();
  const telemetry = events.flatMap((event, index) => (event.type === "telemetry" ? [index] : []));
  const columns = new Map<string, Placed[]>(block.signals.map((name) => [name, []]));
  events.forEach((event, index) => {
    for (const sample of samplesOf(event))
      columns.get(sample.signal)?.push({ ...sample, event: index, eventMs: event.timeMs });
  });
  const numberOf = new Map(block.signals.map((name, number) => [name, number]));
  const order = telemetry.flatMap((index) => {
    const numbers = samplesOf(events[index] as StoredEvent).map(({ signal }) => numberOf.get(signal) as number);
    return numbers.every((number, i) => i === 0 || number >= (numbers[i - 1] as number)) ? [] : [[index, ...numbers]];
  });
  return {
    format: "tailstock-block",
    version: 1,
    epoch,
    machineId,
    firstSeq,
    previousHash: previousHash.toString("hex"),
    events: { t: events.map(({ timeMs }) => taggedNumber(timeMs)), offset: events.map(({ offset }) => offset) },
    texts: events.flatMap((event, index) => textOf(event, index)),
    signals: Array.from(columns, ([signal, samples]) => signalJson(signal, samples, telemetry)),
    order,
  };
}

function textOf(event: StoredEvent, e: number): EventJson[] {
  const { epoch, machineId, seq, type, entityId, causedBy } = event;
  const isOwn = entityId === `${epoch}/${machineId}/${seq}`;
  if (type === "telemetry" && isOwn && causedBy === undefined) return [];
  return [
    {
      e,
      ...(type === "telemetry" ? {} : { type, data: event.data as JsonValue }),
      ...(isOwn ? {} : { entityId }),
      ...(causedBy === undefined ? {} : { causedBy }),
    },
  ];
}

function signalJson(signal: string, samples: readonly Placed[], telemetry: readonly number[]): SignalJson {
  const isInEach = samples.length === telemetry.length && samples.every(({ event }, i) => event === telemetry[i]);
  const isSame = (a: number | null, b: number | null): boolean => Object.is(a, b);
  return {
    signal,
    ...(isInEach ? {} : { e: samples.map(({ event }) => event) }),
    v: samples.map(({ value }) => taggedValue(value)),
    ...(samples.every(({ statusCode }) => statusCode === 0) ? {} : { q: samples.map(({ statusCode }) => statusCode) }),
    ...(samples.every((s) => s.sourceTimestampMs === null)
      ? {}
      : { t: samples.map((s) => taggedTime(s.sourceTimestampMs)) }),
    ...(samples.every((s) => isSame(s.serverTimestampMs, s.sourceTimestampMs))
      ? {}
      : { server: samples.map((s) => taggedTime(s.serverTimestampMs)) }),
    ...(samples.every((s) => isSame(s.receivedTimestampMs, s.eventMs))
      ? {}
      : { received: samples.map((s) => taggedNumber(s.receivedTimestampMs)) }),
  };
}

/**
 * The block of which this is the JSON: the same events, though not the same bytes if another encoder made it.
 * @throws BlockError malformed when it is not what blockToJson gives, limit when it does not fit into a block
 */
export function blockFromJson(json: BlockJson): Buffer {
  return guarded("the JSON of a block", () => {
    if (json.format !== "tailstock-block" || json.version !== 1) throw malformed("this JSON is no block of version 1");
    const builder = new BlockBuilder(json);
    const texts = new Map(json.texts.map((text) => [text.e, text]));
    const orders = new Map(json.order.map(([event, ...numbers]) => [event, numbers]));
    const rows = rowsOf(json, texts);
    for (const { signal } of json.signals) builder.signalRef(signal);
    json.events.t.forEach((t, event) => {
      const { type = "telemetry", entityId = null, causedBy = null, data } = texts.get(event) ?? { e: event };
      const timeMs = plainNumber(t);
      const offset = json.events.offset[event] as number;
      const text = type === "telemetry" ? null : JSON.stringify(data);
      builder.beginEvent(json.firstSeq + event, offset, type, timeMs, entityId, causedBy, text);
      const mine = rows[event] ?? [];
      const order = orders.get(event) ?? mine.map(({ number }) => number);
      for (const number of order) {
        const at = mine.findIndex((row) => row.number === number);
        const [row] = at < 0 ? [] : mine.splice(at, 1);
        if (row === undefined) throw malformed(`event ${event} has no further sample of signal ${number}`);
        addSample(builder, json, row, timeMs);
      }
      if (mine.length > 0) throw malformed(`the order of event ${event} leaves out samples`);
    });
    return builder.finish(Buffer.from(json.previousHash, "hex").subarray(0, HASH_BYTES));
  });
}

interface Row {
  readonly number: number;
  readonly i: number;
}

function rowsOf(json: BlockJson, texts: ReadonlyMap<number, EventJson>): Row[][] {
  const rows: Row[][] = json.events.t.map(() => []);
  const telemetry = rows.flatMap((_, event) =>
    (texts.get(event)?.type ?? "telemetry") === "telemetry" ? [event] : [],
  );
  json.signals.forEach(({ e = telemetry, v }, number) => {
    if (e.length !== v.length) throw malformed(`signal ${number} has ${v.length} values for ${e.length} events`);
    e.forEach((event, i) => {
      const row = rows[event];
      if (row === undefined) throw malformed(`a sample of event ${event}`);
      row.push({ number, i });
    });
  });
  return rows;
}

function addSample(builder: BlockBuilder, json: BlockJson, { number, i }: Row, eventMs: number): void {
  const column = json.signals[number];
  if (column === undefined) throw malformed(`there is no signal ${number}`);
  const time = (tagged: TaggedNumber | null | undefined): number => (tagged == null ? Number.NaN : plainNumber(tagged));
  const sourceMs = time(column.t?.[i]);
  builder.addSample(
    builder.signalRef(column.signal),
    plainValue(column.v[i] as TaggedValue),
    column.q?.[i] ?? 0,
    sourceMs,
    column.server === undefined ? sourceMs : time(column.server[i]),
    column.received === undefined ? eventMs : time(column.received[i]),
  );
}

function samplesOf(event: StoredEvent): readonly TelemetrySample[] {
  return event.type === "telemetry" ? event.data.samples : [];
}

function taggedNumber(value: number): TaggedNumber {
  if (Number.isFinite(value) && !Object.is(value, -0)) return value;
  return Object.is(value, -0) ? "$-0" : `$${value}`;
}

function taggedTime(timeMs: number | null): TaggedNumber | null {
  return timeMs === null ? null : taggedNumber(timeMs);
}

function taggedValue(value: SampleValue): TaggedValue {
  return typeof value === "object" && value !== null ? value.map(taggedScalar) : taggedScalar(value);
}

function taggedScalar(value: ScalarValue): TaggedScalar {
  if (typeof value === "number") return taggedNumber(value);
  if (typeof value === "bigint") return `$${value}n`;
  return typeof value === "string" && value.startsWith("$") ? `$${value}` : value;
}

function plainNumber(tagged: TaggedNumber): number {
  const value = plainScalar(tagged);
  if (typeof value !== "number") throw malformed(`${tagged} stands where a number is wanted`);
  return value;
}

function plainValue(tagged: TaggedValue): SampleValue {
  return typeof tagged === "object" && tagged !== null ? tagged.map(plainScalar) : plainScalar(tagged);
}

function plainScalar(tagged: TaggedScalar): ScalarValue {
  if (typeof tagged !== "string" || !tagged.startsWith("$")) return tagged;
  if (tagged.startsWith("$$")) return tagged.slice(1);
  if (tagged.endsWith("n")) return BigInt(tagged.slice(1, -1));
  const special = {
    $NaN: Number.NaN,
    "$-0": -0,
    $Infinity: Number.POSITIVE_INFINITY,
    "$-Infinity": Number.NEGATIVE_INFINITY,
  }[tagged];
  if (special === undefined) throw malformed(`${tagged} is no tagged value`);
  return special;
}
