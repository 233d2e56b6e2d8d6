import fc from "fast-check";
import type { NewEvent, StoredEvent, TelemetrySample } from "../../cloud-sync/contract/event.ts";
import { rangesOf } from "../../cloud-sync/store/seq-ranges.ts";
import { blockOf, eventsOf, ORIGIN, type PlacedDocument } from "./projected-feed.ts";

/** Streams of two machines in two epochs, cut into documents as ingest may cut them, in any order. */
export interface World {
  /** Those that are in a document. */
  readonly events: readonly StoredEvent[];
  /** Per stream, seqs that were given out at the box, the holes included. */
  readonly documents: readonly PlacedDocument[];
}

export const START_MS = 1_779_900_000_000;
const EPOCH_MS = 3_600_000;
/** Exact in binary, so that sums are the same in any order. */
const quarter = fc.integer({ min: -400, max: 400 }).map((k) => k / 4);
const value = fc.oneof(
  { weight: 8, arbitrary: quarter },
  fc.boolean(),
  fc.constantFrom("on", 'o"ff\\{}', Number.NaN, null),
);
const sample = fc.record({
  signal: fc.constantFrom("a", "b'c", "d,{e}"),
  value,
  statusCode: fc.constantFrom(0, 0, 0, 0x4000_0000, 0x8000_0000),
});
const telemetry = fc.array(sample, { minLength: 1, maxLength: 4 }).map((samples) => ({ type: "telemetry", samples }));
const word = fc.constantFrom("x", "y");
const rare = fc.oneof(
  fc.record({ type: fc.constant("anomaly"), kind: fc.constantFrom("spike", "dip"), causes: fc.nat(8) }),
  fc.record({ type: fc.constant("prediction"), requirement: word, outsideTraining: fc.boolean() }),
  fc.record({
    type: fc.constant("alarm"),
    what: word,
    state: fc.constantFrom("unacknowledged", "acknowledged", "normal"),
  }),
  fc.record({ type: fc.constant("state"), state: fc.constantFrom("running", "idle") }),
  fc.record({ type: fc.constant("config"), typeName: word }),
);
const event = fc.oneof({ weight: 4, arbitrary: telemetry }, rare);
/** A run of events, which of them came before the others, and what became of it. */
const chunk = fc.record({
  events: fc.array(event, { minLength: 1, maxLength: 8 }),
  ahead: fc.array(fc.boolean(), { minLength: 8, maxLength: 8 }),
  fate: fc.constantFrom("comes", "comes", "comes", "comes", "missing"),
});
const stream = fc.array(chunk, { minLength: 1, maxLength: 6 });

export function anyWorld(name: string): fc.Arbitrary<World> {
  return fc
    .record({ streams: fc.tuple(stream, stream, stream), order: fc.infiniteStream(fc.double({ noNaN: true })) })
    .map(({ streams: [first, second, other], order }) => {
      const made = [
        streamOf(`${name}/press "1'\\% 😀`, "e/1", START_MS, first),
        streamOf(`${name}/press "1'\\% 😀`, "e/2", START_MS + EPOCH_MS, second),
        streamOf(`${name}/mill`, "e/1", START_MS, other),
      ];
      const shuffled = made
        .flatMap(({ documents }) => documents)
        .map((document) => ({ document, key: order.next().value as number }))
        .sort((a, b) => a.key - b.key);
      return { events: made.flatMap(({ events }) => events), documents: shuffled.map(({ document }) => document) };
    });
}

type AnyEvent = { type: string; samples?: readonly object[]; causes?: number } & Record<string, unknown>;

function streamOf(
  machineId: string,
  epoch: string,
  startMs: number,
  chunks: readonly (typeof chunk extends fc.Arbitrary<infer T> ? T : never)[],
) {
  const events: StoredEvent[] = [];
  const documents: PlacedDocument[] = [];
  let seq = 1;
  for (const { events: drawn, ahead, fate } of chunks) {
    const run = drawn.map((each) => storedOf(machineId, epoch, seq++, startMs, each as AnyEvent));
    if (fate === "missing") continue;
    const early = run.filter(({ type }, i) => type !== "telemetry" && ahead[i]);
    const late = run.filter((each) => !early.includes(each));
    events.push(...run);
    if (early.length > 0) documents.push(eventsOf(early));
    if (late.length > 0)
      documents.push(blockOf(run, early.length === 0 ? undefined : rangesOf(late.map((each) => each.seq))));
  }
  return { events, documents };
}

function storedOf(machineId: string, epoch: string, seq: number, startMs: number, drawn: AnyEvent): StoredEvent {
  const { type, samples, causes, ...data } = drawn;
  const timeMs = startMs + seq * 20_000;
  const own: NewEvent["data"] =
    samples === undefined
      ? ({ ...data, ...(type === "config" ? { kind: "machine", connectionId: "c", signals: [] } : {}) } as never)
      : { samples: samples.map((each): TelemetrySample => ({ ...(each as TelemetrySample), ...timesOf(timeMs) })) };
  return {
    epoch,
    machineId,
    seq,
    offset: seq * 3,
    type,
    timeMs,
    entityId: `entity ${epoch} ${seq}`,
    ...(causes === undefined ? {} : { causedBy: `${epoch}/${machineId}/${Math.max(0, seq - causes)}` }),
    data: own,
  } as StoredEvent;
}

function timesOf(timeMs: number) {
  return { sourceTimestampMs: timeMs - 0.25, serverTimestampMs: null, receivedTimestampMs: timeMs + 3 };
}

export const FACTORY = ORIGIN.factoryId;
