import { pino } from "pino";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { systemClock } from "../../edge/kernel/clock.ts";
import { EdgeError } from "../../edge/kernel/errors.ts";
import { uniform } from "../../test/support/block-samples.ts";
import { feedDocuments, feedEvents, identitiesOf } from "../../test/support/feed-events.ts";
import { machineStream } from "../../test/support/machine-streams.ts";
import { type TestDatabase, testDatabase } from "../../test/support/postgres.ts";
import { ShakyStore } from "../../test/support/shaky-store.ts";
import { decodeBlock } from "../contract/block/block.ts";
import { encodeBlock } from "../contract/block/block-builder.ts";
import type { StoredEvent } from "../contract/event.ts";
import { decodeBundle, encodeBundle, type Run } from "../contract/frame/bundle.ts";
import type { EventStore } from "../store/event-store.ts";
import { createPostgresEventStore } from "../store/postgres/postgres-event-store.ts";
import { SEQS_PER_PARTITION } from "../store/telemetry-document.ts";
import type { Origin } from "../store/write-telemetry.ts";
import type { Arrival } from "./arrival.ts";
import { TelemetryWriter } from "./telemetry-writer.ts";

const NO_HASH = new Uint8Array(16);
const origin: Origin = { factoryId: "redmond", deviceId: "box", enqueuedMs: 1_780_000_500_000 };
const { signal } = new AbortController();

let server: TestDatabase;
let store: EventStore;
beforeAll(async () => {
  server = await testDatabase();
  store = createPostgresEventStore({
    database: server.database,
    clock: systemClock,
    logger: pino({ level: "silent" }),
  });
  await store.ensure(signal);
});
afterAll(() => server[Symbol.asyncDispose]());

function stored(events: readonly StoredEvent[], message = 0): Arrival {
  const bytes = encodeBlock(events, NO_HASH);
  return { kind: "run", message, origin, block: decodeBlock(bytes), bytes };
}

function fresh(runs: readonly StoredEvent[][], message = 0): Arrival[] {
  const blocks = decodeBundle(encodeBundle(runs as unknown as Run[]));
  return blocks.map((block) => ({ kind: "run", message, origin, block, bytes: undefined }));
}

function single(events: readonly StoredEvent[], message = 0): Arrival {
  return { kind: "events", message, origin, events };
}

/** The stream cut into overlapping pieces of all kinds, some of them twice, in any order. */
function pieces(stream: readonly StoredEvent[], next: () => number): Arrival[] {
  const arrivals: Arrival[] = [];
  const add = (from: number, count: number): void => {
    const part = stream.slice(from, from + count);
    if (part.length === 0) return;
    const kind = next();
    if (kind < 0.4) arrivals.push(stored(part));
    else if (kind < 0.8) arrivals.push(...fresh([part]));
    else arrivals.push(single(part));
  };
  for (let at = 0; at < stream.length; ) {
    const count = 1 + Math.floor(next() * 30);
    add(at, count);
    at += count;
  }
  for (let i = 0; i < 12; i++) add(Math.floor(next() * stream.length), 1 + Math.floor(next() * 40));
  return arrivals
    .map((arrival) => ({ arrival, key: next() }))
    .sort((a, b) => a.key - b.key)
    .map(({ arrival }) => arrival);
}

async function writeAll(writer: TelemetryWriter, arrivals: readonly Arrival[], next: () => number): Promise<number> {
  let conflicts = 0;
  for (let at = 0; at < arrivals.length; ) {
    const batch = arrivals.slice(at, at + 1 + Math.floor(next() * 9));
    try {
      conflicts += (await writer.write(batch, signal)).conflicts;
      at += batch.length;
    } catch (error) {
      if (!(error instanceof EdgeError && error.code === "STORE_UNAVAILABLE")) throw error;
    }
  }
  return conflicts;
}

const sorted = (events: readonly StoredEvent[]): StoredEvent[] =>
  events.toSorted((a, b) => (a.machineId < b.machineId ? -1 : a.machineId > b.machineId ? 1 : a.seq - b.seq));

test("P08 two workers that write the same, a store that fails now and then: every event is there once, as it was", async () => {
  const seed = 41;
  const streams = [
    machineStream("redmond/mill-01", 300),
    machineStream("redmond/'; DROP TABLE store.telemetry; --%_\\\"\u{1f980}", 120, { firstSeq: 70_001 }),
    // Its seqs go on in another partition.
    machineStream("austin/press", 200, { firstSeq: SEQS_PER_PARTITION - 100, epoch: "another epoch" }),
  ];
  const next = uniform(seed);
  const shaky = new ShakyStore(store, { seed, share: 0.15 });
  const workers = [0, 1].map(async () => {
    const arrivals = streams.flatMap((stream) => pieces(stream, next));
    return writeAll(new TelemetryWriter({ store: shaky, clock: systemClock }), arrivals, uniform(seed + 1));
  });
  const conflicts = await Promise.all(workers);
  expect(shaky.failures, "the store failed").toBeGreaterThan(3);
  expect((conflicts[0] as number) + (conflicts[1] as number), "workers met").toBeGreaterThan(0);
  const events = await feedEvents(store);
  expect(identitiesOf(events)).toEqual(identitiesOf(streams.flat()));
  expect(sorted(events)).toEqual(sorted(streams.flat()));
});

describe("what is counted and written", () => {
  test("a run across partitions, once more, and partly: documents say which seqs count", async () => {
    const stream = machineStream("austin/lathe", 40, { firstSeq: SEQS_PER_PARTITION - 20 });
    const writer = new TelemetryWriter({ store, clock: systemClock });
    const own = async () => (await feedDocuments(store)).filter(({ fields }) => fields.machineId === "austin/lathe");
    const first = await writer.write([stored(stream.slice(5, 35))], signal);
    expect(first).toMatchObject({ documents: 2, events: 30, duplicates: 0 });
    expect(await writer.write([stored(stream.slice(5, 35))], signal)).toMatchObject({ documents: 0, duplicates: 30 });
    const rest = await new TelemetryWriter({ store, clock: systemClock }).write([stored(stream)], signal);
    expect(rest).toMatchObject({ documents: 2, events: 10, duplicates: 30 });
    const documents = await own();
    expect(documents.map(({ id, fields }) => [id, fields.admitted]).sort()).toEqual(
      [
        [262124, [[262124, 262128]]],
        [262129, [[262129, 262143]]],
        [262144, [[262144, 262158]]],
        [262159, [[262159, 262163]]],
      ].map(([seq, admitted]) => [`block-${String(seq).padStart(16, "0")}`, admitted]),
    );
    const samples = documents.reduce((sum, { fields }) => sum + (fields.samples as number), 0);
    expect(samples).toBe(stream.filter(({ type }) => type === "telemetry").length * 3);
    expect(sorted((await feedEvents(store)).filter(({ machineId }) => machineId === "austin/lathe"))).toEqual(stream);
  });

  test("fresh runs that follow each other become one block", async () => {
    const stream = machineStream("austin/saw", 30);
    const arrivals = [20, 0, 10].flatMap((from) => fresh([stream.slice(from, from + 10)]));
    const writer = new TelemetryWriter({ store, clock: systemClock });
    expect(await writer.write(arrivals, signal)).toMatchObject({ documents: 1, events: 30, duplicates: 0 });
    expect(await writer.write([stored(stream.slice(4, 9))], signal)).toMatchObject({ documents: 0, duplicates: 5 });
  });

  test("more than a transaction takes is written in several", async () => {
    const stream = machineStream("austin/many", 250);
    const arrivals = stream.map((event) => stored([event]));
    const writer = new TelemetryWriter({ store, clock: systemClock });
    expect(await writer.write(arrivals, signal)).toMatchObject({ documents: 250, events: 250, duplicates: 0 });
    expect(await writer.write(arrivals.toReversed(), signal)).toMatchObject({ documents: 0, duplicates: 250 });
  });

  test("a roll-up replaces the one before, and never counts as events", async () => {
    const range = { epoch: "e", machineId: "austin/thin", firstSeq: 5, lastSeq: 9, firstOffset: 1, lastOffset: 9 };
    const rollup = { ...range, samples: 15, names: ["a"], aggregates: undefined };
    const arrival: Arrival = { kind: "rollup", message: 0, origin, rollup };
    const writer = new TelemetryWriter({ store, clock: systemClock });
    await writer.write([arrival, arrival], signal);
    await writer.write([{ ...arrival, rollup: { ...rollup, names: ["a", "b"] } }], signal);
    const documents = (await feedDocuments(store)).filter(({ fields }) => fields.machineId === "austin/thin");
    expect(documents).toHaveLength(1);
    expect(documents[0]).toMatchObject({ kind: "rollup", fields: { events: 0, samples: 15 } });
  });
});

test("ever new machines take a bounded place in memory", async () => {
  const writer = new TelemetryWriter({ store, clock: systemClock, cachedPartitionsMax: 100 });
  for (let batch = 0; batch < 4; batch++) {
    const arrivals = Array.from({ length: 500 }, (_, i) => single(machineStream(`unknown/${batch}-${i}`, 1)));
    expect((await writer.write(arrivals, signal)).events).toBe(500);
    expect(writer.cachedPartitions).toBeLessThanOrEqual(100);
  }
});
