import { parseArgs } from "node:util";
import { decodeBlock } from "../../cloud-sync/contract/block/block.ts";
import { BlockBuilder, encodeBlock } from "../../cloud-sync/contract/block/block-builder.ts";
import type { StoredEvent } from "../../cloud-sync/contract/event.ts";
import { openLogReader } from "../../edge/log/reader.ts";
import { polledFactory, slowSignals, subscribedFactory } from "../support/block-samples.ts";

const NO_HASH = new Uint8Array(16);
const BLOCK_EVENTS = 300;

/** Size and speed of the block codec on what it was made for; `--log FILE` adds the streams of a real log. */
export async function run(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({ args: [...args], options: { log: { type: "string" }, events: { type: "string" } } });
  const events = Number(values.events ?? BLOCK_EVENTS);
  const rows: Record<string, Figures> = {};
  const factory = polledFactory(events * 2, { warmupS: 120 });
  rows["factory, polled at 1 Hz"] = measure(factory.flatMap((stream) => runsOf(stream, events)));
  const subscribed = subscribedFactory(events * 2);
  rows["factory, subscribed"] = measure(subscribed.flatMap((stream) => runsOf(stream, events)));
  rows["100 slow signals"] = measure(runsOf(slowSignals(events * 2, 100), events));
  rows["100 slow signals, 60 s"] = measure(runsOf(slowSignals(600, 100), 60));
  if (values.log !== undefined) {
    const streams = [...streamsOf(values.log).values()];
    const withSamples = streams.filter((stream) => stream.some(({ type }) => type === "telemetry"));
    rows["log, 5 minutes"] = measure(withSamples.flatMap((stream) => runsOf(stream, events)));
    rows["log, 1 minute"] = measure(withSamples.flatMap((stream) => runsOf(stream, 60)));
  }
  console.table(rows);
  console.table({ "one signal of 100, 300 events": oneSignal(slowSignals(300, 100)) });
}

interface Figures {
  blocks: number;
  samples: number;
  bytesPerSample: number;
  addNs: number;
  finishNs: number;
  decodeNs: number;
}

function measure(runs: readonly (readonly StoredEvent[])[]): Figures {
  const samples = runs.reduce((sum, run) => sum + run.reduce((n, event) => n + samplesOf(event).length, 0), 0);
  let blocks: Buffer[] = [];
  const addMs: number[] = [];
  const finishMs: number[] = [];
  const decodeMs: number[] = [];
  const rounds = Math.max(3, Math.ceil(600_000 / samples));
  for (let round = 0; round < rounds; round++) {
    let [add, finish] = [0, 0];
    blocks = runs.map((run) => {
      const first = run[0] as StoredEvent;
      const builder = new BlockBuilder(first);
      const prepared = run.map((event) => ({
        event,
        samples: samplesOf(event),
        json: event.type === "telemetry" ? null : JSON.stringify(event.data),
      }));
      // A log keeps the number beside the row: the look-up by name is not part of the figure.
      const refs = prepared.map(({ samples }) => samples.map(({ signal }) => builder.signalRef(signal)));
      const startMs = performance.now();
      for (const [e, { event, samples, json }] of prepared.entries()) {
        const mine = refs[e] as number[];
        let i = 0;
        builder.beginEvent(event.seq, event.offset, event.type, event.timeMs, null, event.causedBy ?? null, json);
        for (const s of samples) {
          builder.addSample(
            mine[i++] as number,
            s.value,
            s.statusCode,
            s.sourceTimestampMs ?? Number.NaN,
            s.serverTimestampMs ?? Number.NaN,
            s.receivedTimestampMs,
          );
        }
      }
      const addedMs = performance.now();
      const block = builder.finish(NO_HASH);
      finish += performance.now() - addedMs;
      add += addedMs - startMs;
      return block;
    });
    addMs.push(add);
    finishMs.push(finish);
    const startMs = performance.now();
    for (const block of blocks) {
      const decoded = decodeBlock(block);
      for (const signal of decoded.signals) decoded.column(signal);
    }
    decodeMs.push(performance.now() - startMs);
  }
  const ns = (times: number[]): number => round1((Math.min(...times) * 1e6) / samples);
  const bytes = blocks.reduce((sum, block) => sum + block.length, 0);
  return {
    blocks: blocks.length,
    samples,
    bytesPerSample: Math.round((bytes / samples) * 1000) / 1000,
    addNs: ns(addMs),
    finishNs: ns(finishMs),
    decodeNs: ns(decodeMs),
  };
}

function oneSignal(events: readonly StoredEvent[]): { microseconds: number } {
  const block = encodeBlock(events, NO_HASH);
  const names = decodeBlock(block).signals;
  let sum = 0;
  const times: number[] = [];
  for (let i = 0; i < 3_000; i++) {
    const startMs = performance.now();
    sum += decodeBlock(block).column(names[i % names.length] as string)?.numbers[0] ?? 0;
    times.push(performance.now() - startMs);
  }
  times.sort((a, b) => a - b);
  return { microseconds: Number.isNaN(sum) ? Number.NaN : round1((times[times.length >> 1] as number) * 1000) };
}

function samplesOf(event: StoredEvent) {
  return event.type === "telemetry" ? event.data.samples : [];
}

function runsOf(stream: readonly StoredEvent[], events: number): StoredEvent[][] {
  const runs: StoredEvent[][] = [];
  for (let at = 0; at < stream.length; at += events) runs.push(stream.slice(at, at + events));
  return runs;
}

function streamsOf(path: string): Map<string, StoredEvent[]> {
  const reader = openLogReader(path);
  const streams = new Map<string, StoredEvent[]>();
  for (let offset = 0; ; ) {
    const events = reader.readAfter(offset, { limitEvents: 1_000 });
    if (events.length === 0) break;
    for (const event of events) {
      streams.set(event.machineId, [...(streams.get(event.machineId) ?? []), event]);
      offset = event.offset;
    }
  }
  reader.close();
  return streams;
}

function round1(value: number): number {
  return Math.round(value * 10) / 10;
}
