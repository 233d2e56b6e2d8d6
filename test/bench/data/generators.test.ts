import { expect, test } from "vitest";
import { BulkSource } from "./bulk.ts";
import { type FactoryOptions, factoryTicks } from "./factory-data.ts";
import { slowTicks } from "./slow-signals.ts";
import { eventsOf, readingsOf, type TelemetryEvent, type Tick } from "./tick.ts";

const START_MS = Date.UTC(2026, 0, 5, 6);
const PLANT_SIGNALS = 430;

function factory(seconds: number, more: Partial<FactoryOptions> = {}): TelemetryEvent[] {
  return eventsOf(factoryTicks({ machines: 13, seed: 7, startMs: START_MS, ...more }), seconds * 1_000);
}

function byMachine(events: readonly TelemetryEvent[]): Map<string, TelemetryEvent[]> {
  return Map.groupBy(events, ({ machineId }) => machineId);
}

test.each<[string, (seed: number) => readonly TelemetryEvent[]]>([
  ["factory", (seed) => factory(5, { seed })],
  ["slow signals", (seed) => eventsOf(slowTicks({ seed, startMs: START_MS, machines: 3 }), 5_000)],
  ["bulk", (seed) => new BulkSource({ seed, startMs: START_MS, machines: 3 }).next()],
])("%s: the seed decides everything", (_, make) => {
  expect(make(7)).toEqual(make(7));
  expect(make(7)).not.toEqual(make(8));
});

test("factory: every signal of every machine once a second, of as many plants as it takes", () => {
  expect(readingsOf(factory(10))).toBe(PLANT_SIGNALS * 10);
  const machines = byMachine(factory(3, { machines: 30 }));
  expect(machines.size).toBe(30);
  expect([...machines.keys()].filter((id) => id.startsWith("redmond-3/"))).toHaveLength(4);
  for (const events of machines.values()) expect(events).toHaveLength(3);
  const [one, other] = ["redmond/mill-01", "redmond-2/mill-01"].map((id) => machines.get(id)?.[2]?.data.samples);
  expect(one?.map(({ signal }) => signal)).toEqual(other?.map(({ signal }) => signal));
  expect(one?.map(({ value }) => value)).not.toEqual(other?.map(({ value }) => value));
});

test("factory: an event falls into the tick that delivers it, at its machine's own phase", () => {
  const ticks = factoryTicks({ machines: 13, seed: 7, startMs: START_MS });
  const phases = new Map<string, Set<number>>();
  for (let n = 0; n < 80; n++) {
    const { nowMs, events } = ticks.next().value satisfies Tick;
    expect(nowMs).toBe(START_MS + (n + 1) * 250);
    for (const { machineId, timeMs } of events) {
      expect(timeMs).toBeGreaterThanOrEqual(nowMs - 250 - 4);
      expect(timeMs).toBeLessThan(nowMs);
      phases.set(machineId, (phases.get(machineId) ?? new Set()).add(timeMs % 1_000));
    }
  }
  for (const times of phases.values()) {
    expect(times.size).toBeGreaterThan(1);
    expect(Math.max(...times) - Math.min(...times)).toBeLessThanOrEqual(4);
  }
  expect(new Set([...phases.values()].map((times) => Math.min(...times))).size).toBeGreaterThan(9);
});

test("factory: the times are those of the protocols", () => {
  for (const { machineId, timeMs, data } of factory(5)) {
    const isModbus = /press|compressor/.test(machineId);
    const sources = new Set(data.samples.map(({ sourceTimestampMs }) => sourceTimestampMs));
    expect(sources.size).toBe(1);
    for (const { sourceTimestampMs, serverTimestampMs, receivedTimestampMs } of data.samples) {
      expect(serverTimestampMs).toBe(sourceTimestampMs);
      expect(sourceTimestampMs === null).toBe(isModbus);
      if (sourceTimestampMs !== null) expect(sourceTimestampMs).toBeLessThanOrEqual(receivedTimestampMs);
      expect(timeMs - receivedTimestampMs).toBeGreaterThanOrEqual(0);
      expect(timeMs - receivedTimestampMs).toBeLessThanOrEqual(4);
    }
    expect(data.samples.at(-1)?.receivedTimestampMs).toBe(timeMs);
    expect(new Set(data.samples.map((sample) => sample.receivedTimestampMs)).size).toBeLessThanOrEqual(4);
  }
});

test("factory: as a server answers reads, the source time is that of the last change and the server's that of the read", () => {
  const mills = factory(20, { stamps: "last-change" }).filter(({ machineId }) => machineId.includes("mill"));
  const last = mills.at(-1)?.data.samples ?? [];
  expect(new Set(last.map(({ sourceTimestampMs }) => sourceTimestampMs)).size).toBeGreaterThan(4);
  expect(last.some(({ serverTimestampMs }) => !Number.isInteger(serverTimestampMs))).toBe(true);
  for (const { sourceTimestampMs, serverTimestampMs } of last) {
    expect(serverTimestampMs).toBeGreaterThan(sourceTimestampMs ?? Number.POSITIVE_INFINITY);
  }
});

test("factory: the plant's values in all their kinds", () => {
  const samples = factory(2).flatMap(({ data }) => data.samples);
  expect(new Set(samples.map(({ value }) => typeof value))).toEqual(new Set(["number", "bigint", "string", "boolean"]));
  expect(
    samples.some(
      ({ value }) =>
        typeof value === "number" && Math.fround(value) === value && Math.round(value * 1000) / 1000 !== value,
    ),
  ).toBe(true);
});

test("factory: by change, an event holds only what differs from the delivery before", () => {
  const seen = new Map<string, unknown>();
  const events = factory(20, { onChange: true });
  expect(readingsOf(events)).toBeLessThan(readingsOf(factory(20)) * 0.8);
  for (const { machineId, data } of events) {
    for (const { signal, value } of data.samples) {
      expect(seen.get(`${machineId} ${signal}`)).not.toBe(value);
      seen.set(`${machineId} ${signal}`, value);
    }
  }
  expect(seen.size).toBe(PLANT_SIGNALS);
});

test("slow signals: 100 × 100 at 1 Hz, of which a little more than half repeat", () => {
  const events = eventsOf(slowTicks({ seed: 7, startMs: START_MS }), 4_000);
  expect(readingsOf(events)).toBe(40_000);
  const some = eventsOf(slowTicks({ seed: 7, startMs: START_MS, machines: 5 }), 60_000);
  let same = 0;
  for (const own of byMachine(some).values()) {
    for (const [at, event] of own.slice(1).entries()) {
      same += event.data.samples.filter(({ value }, index) => value === own[at]?.data.samples[index]?.value).length;
    }
  }
  const share = same / (readingsOf(some) - 500);
  expect(share).toBeGreaterThan(0.5);
  expect(share).toBeLessThan(0.65);
});

test("bulk: a batch is a second of 100 × 100, values move without jumps, counters never go back", () => {
  const source = new BulkSource({ seed: 7, startMs: START_MS });
  const first = source.next();
  expect(first).toHaveLength(100);
  expect(readingsOf(first)).toBe(source.readingsPerBatch);
  expect(source.readingsPerBatch).toBe(10_000);
  const few = new BulkSource({ seed: 7, startMs: START_MS, machines: 1 });
  let before = few.next()[0];
  for (let second = 1; second < 600; second++) {
    const event = few.next()[0];
    if (event === undefined || before === undefined) throw new Error("no event");
    expect(event.timeMs - before.timeMs).toBeGreaterThan(990);
    for (const [index, { signal, value }] of event.data.samples.entries()) {
      const previous = Number(before.data.samples[index]?.value);
      if (signal.startsWith("counter")) expect(value).toBe(previous + 1);
      if (signal.startsWith("constant")) expect(value).toBe(previous);
      if (signal.startsWith("decimal")) expect(Math.abs(Number(value) - previous)).toBeLessThan(5);
    }
    before = event;
  }
});
