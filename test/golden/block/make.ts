import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { decodeBlock } from "../../../cloud-sync/contract/block/block.ts";
import { BlockBuilder, encodeBlock } from "../../../cloud-sync/contract/block/block-builder.ts";
import { blockToJson } from "../../../cloud-sync/contract/block/block-json.ts";
import type { StoredEvent, TelemetrySample } from "../../../cloud-sync/contract/event.ts";
import type { SampleValue } from "../../../cloud-sync/contract/sample.ts";
import { polledFactory, slowSignals, stored, subscribedFactory } from "../../support/block-samples.ts";

// Makes golden blocks that are not there yet, and never touches one that is: format version 1 is what these bytes are.
// node test/golden/block/make.ts
const HASH = Uint8Array.from({ length: 16 }, (_, i) => 0xa0 + i);
const TIME_MS = 1_780_000_000_000;

function columns(values: Readonly<Record<string, (e: number) => SampleValue>>, events: number): StoredEvent[] {
  return Array.from({ length: events }, (_, e) => {
    const samples = Object.entries(values).map(
      ([signal, make]): TelemetrySample => ({
        signal,
        value: make(e),
        statusCode: e % 9 === 4 ? 0x40920000 : 0,
        sourceTimestampMs: TIME_MS + e * 500,
        serverTimestampMs: TIME_MS + e * 500,
        receivedTimestampMs: TIME_MS + e * 500 + 3,
      }),
    );
    return stored("site/golden", e + 1, { type: "telemetry", timeMs: TIME_MS + e * 500 + 3, data: { samples } });
  });
}

const at = <T>(list: readonly T[], index: number): T => list[index % list.length] as T;
const noise = (e: number): number => ((e * 7_919) % 101) - 50;
const specials = [
  Number.NaN,
  -0,
  0,
  Number.POSITIVE_INFINITY,
  Number.NEGATIVE_INFINITY,
  5e-324,
  Number.MAX_VALUE,
  0.1 + 0.2,
];

const blocks: Readonly<Record<string, () => Buffer>> = {
  empty: () => new BlockBuilder({ epoch: "epoch", machineId: "site/golden" }).finish(HASH),
  polled: () => encodeBlock(polledFactory(40)[0] as StoredEvent[], HASH),
  modbus: () => encodeBlock(withoutSource(polledFactory(60)[8] as StoredEvent[]), HASH),
  subscribed: () => encodeBlock(subscribedFactory(60)[1] as StoredEvent[], HASH),
  slow: () => encodeBlock(slowSignals(60, 12), HASH),
  numbers: () =>
    encodeBlock(
      columns(
        {
          constant: () => 21.5,
          decimal: (e) => (2_000 + noise(e)) / 100,
          "float32 decimal": (e) => Math.fround((17 + noise(e)) / 10),
          product: (e) => (900 + noise(e)) * 0.1,
          stepped: (e) => (400 + noise(e)) * 5,
          held: (e) => 100 + noise(Math.floor(e / 6)) / 10,
          counter: (e) => 1_000_000 + e * 3,
          float32: (e) => Math.fround(Math.sin(e)),
          float64: (e) => Math.sin(e) * 1e-3,
          specials: (e) => at(specials, e),
          "mostly decimal": (e) => (e === 7 ? Math.PI : e === 20 ? Number.NaN : e / 2 + noise(e)),
          huge: (e) => 2 ** 52 + e,
          int64: (e) => -(2n ** 63n) + BigInt(e * e),
          uint64: (e) => 2n ** 64n - 1n - BigInt(noise(e) + 50),
          "int64, small": (e) => BigInt(70_000 + e),
          "int64, beyond": (e) => 3n ** BigInt(e * 2) * (e % 2 === 0 ? 1n : -1n),
        },
        40,
      ),
      HASH,
    ),
  values: () =>
    encodeBlock(
      columns(
        {
          boolean: (e) => e % 5 < 2,
          state: (e) => at(["idle", "setup", "running", "running", "fault"], Math.floor(e / 4)),
          text: (e) => `Teil ${e}: Ø ${e * 1.5} mm 🛠`.repeat(e % 3),
          null: () => null,
          "nulls among numbers": (e) => (e % 10 === 3 ? null : 5 + noise(e) / 10),
          mixed: (e) => at<SampleValue>([1, "1", true, null, 1n, 1.5, [1, "a"]], e),
          array: (e) => [e / 10, e / 5, noise(e)],
          "mixed arrays": (e) => at<SampleValue>([[], [null, true, "x", 2n ** 60n, -0], [Number.NaN, 0.1]], e),
          "": (e) => e,
        },
        40,
      ),
      HASH,
    ),
  times: () => encodeBlock(oddTimes(), HASH),
  rare: () => encodeBlock(rareEvents(), HASH),
};

function withoutSource(events: readonly StoredEvent[]): StoredEvent[] {
  return events.map((event, e) => {
    if (event.type !== "telemetry") return event;
    const samples = event.data.samples.map((sample, i) => ({
      ...sample,
      sourceTimestampMs: null,
      serverTimestampMs: null,
      receivedTimestampMs: event.timeMs - (i < 4 ? 4 + (e % 3) : i < 9 ? 1 + (e % 2) : 0),
    }));
    return { ...event, data: { samples } };
  });
}

/** Several samples of a signal in one event, unusual orders, times of every kind, an event without samples. */
function oddTimes(): StoredEvent[] {
  const names = ["a", "b", "c", "d"];
  return Array.from({ length: 30 }, (_, e) => {
    const samples = Array.from({ length: e % 6 }, (_unused, i): TelemetrySample => {
      const sourceMs = at([null, TIME_MS + e * 1000 + i * 0.25, TIME_MS - 86_400_000, 12_345.678901, -1, 1e300], e + i);
      return {
        signal: at(names, e * 3 + i * (1 + (e % 3))),
        value: e + i / 10,
        statusCode: at([0, 0x80000000, 0xffffffff], i),
        sourceTimestampMs: sourceMs,
        serverTimestampMs: e % 4 === 0 ? null : e % 4 === 1 ? TIME_MS + 0.04345703125 : sourceMs,
        receivedTimestampMs: TIME_MS + e * 1000 + (i > 2 ? 7 : 0),
      };
    });
    return stored(
      "site/golden",
      2 ** 40 + e,
      { type: "telemetry", timeMs: TIME_MS + e * 1000.5, data: { samples } },
      2 ** 50 + e * e,
    );
  });
}

function rareEvents(): StoredEvent[] {
  const telemetry = columns({ speed: (e) => 1_200 + e }, 3);
  const identity = (telemetry[1] as StoredEvent).entityId;
  const rare = (seq: number, event: Parameters<typeof stored>[2]): StoredEvent =>
    stored("site/golden", seq, event, seq * 2);
  return [
    ...telemetry,
    rare(4, {
      type: "anomaly",
      timeMs: TIME_MS + 503,
      entityId: identity,
      causedBy: identity,
      data: { kind: "spike", score: 4.25, signal: "speed" },
    }),
    rare(5, {
      type: "alarm",
      timeMs: TIME_MS + 503,
      entityId: identity,
      causedBy: "epoch/site/golden/4",
      data: { state: "unacknowledged", text: "Größe" },
    }),
    rare(6, { type: "state", timeMs: TIME_MS + 900.125, data: { from: "idle", to: "running" } }),
    rare(7, { type: "gap", timeMs: -5, data: { cause: "overflow", samples: 12, fromMs: 1, toMs: 2, detail: "" } }),
    ...columns({ speed: () => 7 }, 1).map((event) => ({
      ...event,
      seq: 8,
      offset: 99,
      entityId: "elsewhere",
      causedBy: "before",
    })),
  ] as StoredEvent[];
}

for (const [name, make] of Object.entries(blocks)) {
  const path = join(import.meta.dirname, "v1", name);
  if (existsSync(`${path}.block`)) continue;
  const bytes = make();
  writeFileSync(`${path}.block`, bytes, { flag: "wx" });
  writeFileSync(`${path}.json`, `${JSON.stringify(blockToJson(decodeBlock(bytes)))}\n`, { flag: "wx" });
  process.stdout.write(`${path}.block ${bytes.length}\n`);
}
